"""The one registry of the 29 languages: English, Chinese and the 27 more of Qwen2.

Codes are BCP 47 (RFC 5646) primary subtags as fastText's lid.176 writes them; ``tl`` covers Tagalog and Filipino.
``units_per_word`` says how many scan units (see `curation.text.scan`) of scripts without spaces hold as much text as one
English word: 1 where words are written with spaces; elsewhere measured on the Universal Declaration of Human Rights, as the units of the
translation divided by the words of the English text (`tests/curation/test_languages.py` recomputes them from the demo
corpus). ``stop_words`` are the most frequent function words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CODE = "code"
"""Language of source code, which has no natural language of its own."""

UNDETERMINED = "und"


@dataclass(frozen=True, kw_only=True)
class Language:
    """One language: codes, names, writing system, and what its text looks like."""

    code: str  # BCP 47
    iso639_3: str
    name: str
    scripts: tuple[str, ...]  # ISO 15924
    stop_words: tuple[str, ...]
    confusable: tuple[str, ...]  # identifier labels easily taken for it, kept as labels of their own
    sentence_ends: str = ".!?…"
    right_to_left: bool = False
    spaced: bool = True  # words are written with spaces between them
    units_per_word: float = 1.0

    @property
    def direction(self) -> str:
        return "rtl" if self.right_to_left else "ltr"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ARABIC_ENDS = ".!؟?…۔"
_CJK_ENDS = "。！？….!?｡"

_ALL = (
    Language(
        code="en", iso639_3="eng", name="English", scripts=("Latn",), confusable=("sco", "war"),
        stop_words=_words("the be to of and that have with"),
    ),
    Language(
        code="zh", iso639_3="zho", name="Chinese", scripts=("Hans", "Hant"), confusable=("yue", "wuu", "ja"),
        sentence_ends=_CJK_ENDS, spaced=False, units_per_word=1.4,
        stop_words=_words("的 了 是 在 和 不 有 我 这 這 为 為 与 與 以 之 中 或 也 就 都 而 及 他 你 可 要 会 會 个 個 上 对 對 于 於"),
    ),
    Language(
        code="de", iso639_3="deu", name="German", scripts=("Latn",), confusable=("nds", "als", "lb", "bar", "nl"),
        stop_words=_words("der die das und in zu den ist mit von für auf nicht ein eine des dem im sich auch werden oder"),
    ),
    Language(
        code="fr", iso639_3="fra", name="French", scripts=("Latn",), confusable=("oc", "wa", "frp", "ca"),
        stop_words=_words("de la le et les des en un une du que est pour dans qui par sur au plus pas ne ou avec"),
    ),
    Language(
        code="es", iso639_3="spa", name="Spanish", scripts=("Latn",), confusable=("gl", "ca", "ast", "an", "pt"),
        stop_words=_words("de la que el en y los se del las un por con no una para es su al lo como más o"),
    ),
    Language(
        code="pt", iso639_3="por", name="Portuguese", scripts=("Latn",), confusable=("gl", "es", "mwl"),
        stop_words=_words("de a o que e do da em um para com não uma os no se na por mais as dos como ou ao é"),
    ),
    Language(
        code="it", iso639_3="ita", name="Italian", scripts=("Latn",), confusable=("scn", "vec", "lmo", "co", "nap"),
        stop_words=_words("di e il la che in un per a è non una del con da si i le dei sono della al come o"),
    ),
    Language(
        code="nl", iso639_3="nld", name="Dutch", scripts=("Latn",), confusable=("af", "nds", "fy", "li", "vls"),
        stop_words=_words("de het een en van in is dat op te voor met die niet aan zijn er of om bij worden als ook door"),
    ),
    Language(
        code="ru", iso639_3="rus", name="Russian", scripts=("Cyrl",), confusable=("uk", "bg", "be", "sr", "mk"),
        stop_words=_words("и в не на что с по как это к из для от а у за о или так его при все бы если"),
    ),
    Language(
        code="cs", iso639_3="ces", name="Czech", scripts=("Latn",), confusable=("sk", "pl", "sl"),
        stop_words=_words("a v se na je že s z do o k i pro jako za od nebo by ve jsou si které po který"),
    ),
    Language(
        code="pl", iso639_3="pol", name="Polish", scripts=("Latn",), confusable=("szl", "csb", "cs", "sk"),
        stop_words=_words("i w na z do się nie że to o jest jak po od za dla przez lub oraz są a być może ma"),
    ),
    Language(
        code="ar", iso639_3="arb", name="Arabic", scripts=("Arab",), confusable=("arz", "fa", "ur", "ckb", "ps"),
        sentence_ends=_ARABIC_ENDS, right_to_left=True,
        stop_words=_words("في من على إلى أن التي هذا عن مع هذه الذي لا أو كل ما كان بين هو هي ذلك بعد قد لم كما ثم"),
    ),
    Language(
        code="fa", iso639_3="pes", name="Persian", scripts=("Arab",), confusable=("mzn", "ckb", "ps", "azb", "ur", "ar"),
        sentence_ends=_ARABIC_ENDS, right_to_left=True,
        stop_words=_words("و در به از که این را با است برای آن یک هر یا شما خود تا بر شود می کند هم اگر"),
    ),
    Language(
        code="he", iso639_3="heb", name="Hebrew", scripts=("Hebr",), confusable=("yi",), right_to_left=True,
        stop_words=_words("של את על לא זה עם הוא או כי גם אם היא יש כל אל אני בין אין רק מה אשר ידי אך כדי"),
    ),
    Language(
        code="tr", iso639_3="tur", name="Turkish", scripts=("Latn",), confusable=("az", "tk", "uz", "crh"),
        stop_words=_words("ve bir bu için ile de da olarak daha en çok gibi olan veya ise her kadar ne o sonra değil ya"),
    ),
    Language(
        code="ja", iso639_3="jpn", name="Japanese", scripts=("Jpan",), confusable=("zh", "yue", "wuu", "ko"),
        sentence_ends=_CJK_ENDS, spaced=False, units_per_word=1.6,
        stop_words=_words("の に は を が と で も から する し や な へ した して です ます には では また その この"),
    ),
    Language(
        code="ko", iso639_3="kor", name="Korean", scripts=("Kore",), confusable=("ja",), sentence_ends=".!?…。",
        stop_words=_words("수 있는 있다 및 이 그 등 것 또는 있습니다 하는 할 위해 대한 한 때 더 모든 합니다 같은 의 다른 경우"),
    ),
    Language(
        code="vi", iso639_3="vie", name="Vietnamese", scripts=("Latn",), confusable=(),
        stop_words=_words("và của là các có được cho trong một không với này để người những đã khi từ đến về như ra ở hoặc"),
    ),
    Language(
        code="th", iso639_3="tha", name="Thai", scripts=("Thai",), confusable=("lo",), sentence_ends=".!?…๚๛",
        spaced=False, units_per_word=3.2,
        stop_words=_words("ที่ และ ใน การ ของ เป็น ได้ ให้ มี ไม่ จะ กับ ว่า หรือ จาก โดย นี้ ความ"),
    ),
    Language(
        code="id", iso639_3="ind", name="Indonesian", scripts=("Latn",), confusable=("ms", "jv", "su", "min"),
        stop_words=_words("yang dan di untuk dengan dari pada ini dalam tidak adalah atau akan itu ke dapat anda oleh bisa"),
    ),
    Language(
        code="ms", iso639_3="zsm", name="Malay", scripts=("Latn",), confusable=("id", "jv", "su", "min"),
        stop_words=_words("yang dan di untuk dengan dari pada ini dalam tidak adalah atau akan itu ke boleh anda oleh ialah"),
    ),
    Language(
        code="lo", iso639_3="lao", name="Lao", scripts=("Laoo",), confusable=("th",),
        spaced=False, units_per_word=3.2,
        stop_words=_words("ແລະ ຂອງ ໃນ ທີ່ ການ ເປັນ ໄດ້ ໃຫ້ ມີ ບໍ່ ຈະ ກັບ ວ່າ ຫຼື ຈາກ ໂດຍ ນີ້ ຄວາມ"),
    ),
    Language(
        code="my", iso639_3="mya", name="Burmese", scripts=("Mymr",), confusable=("bo",), sentence_ends="။၊.!?…",
        spaced=False, units_per_word=2.5,
        stop_words=_words("သည် ကို နှင့် တွင် မှ ဖြင့် များ သော ရန် အတွက် ဖြစ် ရှိ မ က တို့ နိုင် ပြု လည်း"),
    ),
    Language(
        code="ceb", iso639_3="ceb", name="Cebuano", scripts=("Latn",), confusable=("tl", "war", "hil", "ilo"),
        stop_words=_words("sa ang nga mga og ug ni kay si na dili kini usa siya ko iyang alang ako unya lang kon"),
    ),
    Language(
        code="km", iso639_3="khm", name="Khmer", scripts=("Khmr",), confusable=("th", "lo"), sentence_ends="។៕៖.!?…",
        spaced=False, units_per_word=3.0,
        stop_words=_words("និង នៃ ក្នុង ជា មាន ដែល បាន ការ ដោយ ពី នេះ របស់ ឬ មិន នៅ ទៅ គឺ"),
    ),
    Language(
        code="tl", iso639_3="fil", name="Tagalog", scripts=("Latn",), confusable=("ceb", "war", "ilo", "pam", "bcl"),
        stop_words=_words("ang ng sa na mga at ay para hindi ito kung may isang o ni si ko mo mula siya lamang ka"),
    ),
    Language(
        code="hi", iso639_3="hin", name="Hindi", scripts=("Deva",), confusable=("mr", "ne", "sa", "bh", "mai"),
        sentence_ends="।॥.!?…",
        stop_words=_words("के में है की और से को का एक पर लिए यह हैं कि नहीं इस कर भी या तो जो आप करने"),
    ),
    Language(
        code="bn", iso639_3="ben", name="Bengali", scripts=("Beng",), confusable=("as", "bpy"), sentence_ends="।॥.!?…",
        stop_words=_words("এবং করে এই একটি থেকে জন্য করতে না হয় যা যে এর ও করা আপনার কোন আছে তার সাথে এক হবে বা"),
    ),
    Language(
        code="ur", iso639_3="urd", name="Urdu", scripts=("Arab",), confusable=("fa", "ar", "pnb", "sd", "ps"),
        sentence_ends=_ARABIC_ENDS, right_to_left=True,
        stop_words=_words("کے میں ہے کی اور سے کو کا ایک پر یہ ہیں نہیں کہ اس کر بھی یا آپ کسی ہو لیے نے جو"),
    ),
)  # fmt: skip

LANGUAGES: dict[str, Language] = {language.code: language for language in _ALL}
"""The 29 by code, in the order Qwen2 lists them."""

CODES: tuple[str, ...] = tuple(LANGUAGES)

SENTENCE_ENDS = "".join(sorted({mark for language in _ALL for mark in language.sentence_ends}))
"""Every mark that ends a sentence in at least one of the languages."""


def numbers(codes: Sequence[str]) -> np.ndarray:
    """Places of n codes in `CODES`, -1 for others: int64[n]."""
    return np.fromiter((_NUMBER.get(code, -1) for code in codes), np.int64, len(codes))


def units_per_word(codes: Sequence[str]) -> np.ndarray:
    """Scan units that hold as much text as an English word, in each of n languages, 1 in others: float64[n]."""
    return _UNITS_PER_WORD[numbers(codes)]


def words(units: np.ndarray, unspaced_units: np.ndarray, units_per_word: np.ndarray) -> np.ndarray:
    """Words in n texts, float64[n]: a unit of a script that writes spaces is one, so a Latin name in Thai counts whole.

    ``units``: int[n]; ``unspaced_units``: int[n] of them, in scripts without spaces; ``units_per_word``: float64[n].
    """
    count: np.ndarray = units - unspaced_units + unspaced_units / units_per_word
    return count


_NUMBER = {code: number for number, code in enumerate(CODES)}
_UNITS_PER_WORD = np.array([language.units_per_word for language in _ALL] + [1.0])  # the last is also number -1
