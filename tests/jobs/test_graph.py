"""The job graphs hold no shuffle that a portable engine would do badly: keys are integers, values opaque blocks."""

from __future__ import annotations

from typing import Any

import apache_beam as beam

from curation.dataset import Job
from curation.recipe_dedup import Passages, Repeated
from jobs import passages

GROUP, RESHUFFLE = "beam:transform:group_by_key:v1", "beam:transform:reshuffle:v1"


def _coder(components: Any, coder_id: str) -> str:
    coder = components.coders[coder_id]
    name = coder.spec.urn.removeprefix("beam:coder:").removesuffix(":v1")
    inner = ",".join(_coder(components, child) for child in coder.component_coder_ids)
    return f"{name}({inner})" if inner else name


def shuffles(graph: Any) -> dict[str, str]:
    """Step -> coder of what it groups, for every GroupByKey that is not inside Beam's own Reshuffle."""
    components = graph.components
    inside: set[str] = set()
    waiting = [child for t in components.transforms.values() if t.spec.urn == RESHUFFLE for child in t.subtransforms]
    while waiting:
        name = waiting.pop()
        inside.add(name)
        waiting += components.transforms[name].subtransforms
    return {
        transform.unique_name: _coder(
            components, components.pcollections[next(iter(transform.inputs.values()))].coder_id
        )
        for name, transform in components.transforms.items()
        if transform.spec.urn == GROUP and name not in inside
    }


def _steps(graph: Any) -> set[str]:
    return {transform.unique_name for transform in graph.components.transforms.values()}


def test_every_shuffle_of_every_job_has_integer_keys_and_block_values(finished):
    names = ["Annotate", "Keys", "Each", "Each", "Count", "Each", "Each"]
    jobs = "annotate, dedup, decide, select, count, encode and shard: one each"
    assert len(finished.graphs) == len(names), jobs
    for name, graph in zip(names, finished.graphs, strict=True):
        assert name in _steps(graph)
        assert set(shuffles(graph).values()) <= {"kv(varint,bytes)"}, shuffles(graph)


def test_only_dedup_and_count_wait_at_all_and_text_never_crosses_a_shuffle(finished):
    grouped = [sorted(shuffles(graph)) for graph in finished.graphs]
    steps = ("Candidates", "Connect", "Edges", "Keepers", "Keys", "Write")  # each waits for all of the one before
    assert grouped == [[], [f"{step}/Wait" for step in steps], [], [], ["Count/Wait", "Write/Wait"], [], []]


def test_passages_wait_for_each_step_and_shuffle_no_text():
    settings = Passages(lines=Repeated(), paragraphs=Repeated(), substring_bytes=100)
    steps = passages.Steps(Job("run", "passages", ("passages",), "f", {}), settings, (0, 1), 1000)
    pipeline = beam.Pipeline()
    passages._graph(pipeline, steps)
    graph = pipeline.to_runner_api()
    order = ("Again", "Clean", "LineKeys", "Recurring", "Repeated", "Seeds", "Windows", "Write")
    assert shuffles(graph) == {f"{step}/Wait": "kv(varint,bytes)" for step in order}


def test_what_is_reshuffled_is_a_few_hundred_bytes_a_part(finished):
    """Reshuffles spread work units and part numbers; the whole list is in the graph itself, so its size bounds them."""
    for graph in finished.graphs:
        payload = sum(len(transform.spec.payload) for transform in graph.components.transforms.values())
        assert payload < 300_000


def test_the_lint_sees_a_pickled_key_and_text_as_a_value():
    class Key:
        pass

    with_key, with_text = beam.Pipeline(), beam.Pipeline()
    with_key | beam.Create([1]) | beam.Map(lambda _: (Key(), b"")) | "Bad" >> beam.GroupByKey()
    texts = with_text | beam.Create([1]) | beam.Map(lambda _: (1, "text")).with_output_types(tuple[int, str])
    texts | "Bad" >> beam.GroupByKey()
    assert shuffles(with_key.to_runner_api())["Bad"] != "kv(varint,bytes)"
    assert shuffles(with_text.to_runner_api())["Bad"] == "kv(varint,string_utf8)"
