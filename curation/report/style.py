"""The report's style sheet: system fonts, one accent colour, light, dark and print."""

CSS = """
:root { --page: #fdfdfb; --text: #1c2126; --muted: #59616a; --line: #e5e5df; --accent: #0b6b6b; --second: #5c9392;
  --third: #555c66; --fourth: #878e98; --heat: 11 107 107 }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --page: #13171a; --text: #e4e6e4; --muted: #a1a9b0; --line: #2c3237; --accent: #5cc8c1;
    --second: #2f7d7a; --third: #9aa2ab; --fourth: #69727c; --heat: 92 200 193 }
}
* { box-sizing: border-box }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; -webkit-text-size-adjust: 100% }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto } }
body { margin: 0 auto; max-width: 62rem; padding: 3.5rem 1.5rem 6rem; background: var(--page); color: var(--text);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
h1, h2, h3 { line-height: 1.2; letter-spacing: -0.015em; text-wrap: balance }
h1 { font-size: 2.4rem; font-weight: 650; margin: 0 0 0.5rem }
h2 { font-size: 1.45rem; font-weight: 620; margin: 0 0 0.75rem }
h3 { font-size: 1rem; font-weight: 600; margin: 2rem 0 0.75rem }
section { margin-top: 4.5rem }
p { margin: 0 0 1rem; max-width: 44rem }
.note, .kicker { color: var(--muted) }
.kicker { font-size: 0.9rem; margin: 0 0 0.25rem }
a { color: var(--accent); text-underline-offset: 0.2em }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px }
nav { margin-top: 2rem; font-size: 0.92rem; display: flex; flex-wrap: wrap; gap: 0.35rem 1.1rem }
nav a { text-decoration: none }
nav a:hover { text-decoration: underline }
code { font: 0.88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: 1.75rem 1.5rem;
  margin: 2rem 0 2.25rem }
.tiles dt { color: var(--muted); font-size: 0.86rem }
.tiles dd { margin: 0 }
.tiles strong { display: block; font-size: 1.6rem; font-weight: 600; line-height: 1.25; letter-spacing: -0.02em }
.tiles span { color: var(--muted); font-size: 0.82rem; line-height: 1.35; display: block }
.scroll { overflow-x: auto; margin: 1rem 0 1.5rem }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; line-height: 1.35 }
th, td { padding: 0.38rem 0.55rem; border-bottom: 1px solid var(--line); text-align: left; font-weight: 400;
  vertical-align: middle }
thead th { color: var(--muted); font-size: 0.8rem; vertical-align: bottom; white-space: normal; overflow-wrap: normal;
  border-bottom-color: var(--muted) }
th:first-child { padding-left: 0; position: sticky; left: 0; background: var(--page); white-space: nowrap }
th small { color: var(--muted); font-size: inherit; margin-left: 0.4em }
td:last-child, th:last-child { padding-right: 0 }
.number { text-align: right }
td.number { white-space: nowrap }
td.bar { width: 38%; min-width: 8rem }
td.text { min-width: 7rem }
tr.total th, tr.total td { font-weight: 620 }
th code { font-size: 0.82em }
.heat { background: rgb(var(--heat) / var(--share)); padding: 0.1rem 0.35rem; border-radius: 3px }
figure { margin: 0 }
svg { display: block; overflow: visible }
svg text { fill: var(--muted); font-size: 12px }
.accent { fill: var(--accent); background: var(--accent) }
.second { fill: var(--second); background: var(--second) }
.third { fill: var(--third); background: var(--third) }
.fourth { fill: var(--fourth); background: var(--fourth) }
.grid { stroke: var(--line); stroke-width: 1 }
.curve { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round }
.mark { fill: var(--page); stroke: var(--text); stroke-width: 2 }
.ring { background: var(--page); border: 2px solid var(--text); border-radius: 50% }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.3rem 1.4rem; margin: 1.25rem 0 0.5rem; padding: 0;
  font-size: 0.86rem; color: var(--muted) }
.legend i { display: inline-block; width: 0.75rem; height: 0.75rem; margin-right: 0.5rem; border-radius: 2px }
.legend i.ring { border-radius: 50% }
.sample { margin: 0 0 1.25rem; padding: 0 0 0 1rem; border-left: 2px solid var(--line); max-width: 48rem }
.sample mark { background: color-mix(in srgb, var(--accent) 22%, transparent); color: inherit }
.sample p { margin: 0; white-space: pre-line; font-size: 0.92rem }
.sample figcaption { color: var(--muted); font-size: 0.8rem; margin-top: 0.35rem }
footer { margin-top: 5rem; color: var(--muted); font-size: 0.85rem }
@media (max-width: 40rem) {
  body { padding: 2rem 1.1rem 4rem }
  h1 { font-size: 1.9rem }
  section { margin-top: 3.25rem }
  .tiles { grid-template-columns: 1fr 1fr }
  .tiles strong { font-size: 1.35rem }
  th:first-child { white-space: normal; overflow-wrap: break-word; min-width: 6.5rem; max-width: 9.5rem }
  td.bar { min-width: 6rem }
}
@media print {
  @page { margin: 16mm }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  body { max-width: none; padding: 0; font-size: 9.5pt; --page: #fff }
  nav { display: none }
  section { margin-top: 2.5rem }
  h2, h3 { break-after: avoid }
  .scroll { overflow: visible }
  table, thead th { font-size: 7pt }
  th, td { padding: 0.25rem 0.3rem }
  td.bar { min-width: 0 }
  tr, figure, .tiles div { break-inside: avoid }
}
"""
