"""``hearth validate``: what a server would refuse, and what is against good practice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from hearth.cli.draft.kinds import Answer, Kinds
from hearth.cli.draft.manifests import Document, Read, read_places
from hearth.cli.errors import UserError
from hearth.functions.drafting.practice import RULES, Level, practice
from hearth.kube import meta

_REFUSED, _UNREAD, _UNKNOWN, _WARNED = "refused", "unread", "unknown-kind", "server-warning"
_CHECKS = {
    _UNREAD: "what cannot be read",
    _REFUSED: "what a server refuses: schema, Kubernetes' rules, admission of Hearth",
    _WARNED: "what a server warns of",
    _UNKNOWN: "kinds of which nothing is known here",
}


@dataclass(frozen=True, slots=True)
class ValidateOptions:
    """What the command line of ``hearth validate`` says."""

    places: Sequence[str]
    ignore: Sequence[str]
    strict: bool
    output: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong; ``line`` is 0 and ``field`` "" where none is known."""

    rule: str
    level: Level
    file: str
    line: int
    object: str
    field: str
    message: str
    reason: str = ""
    remedy: str = ""


def show_rules(output: str) -> None:
    """Print the rules of good practice, and the checks that cannot be left out."""
    if output == "json":
        shown = [{"name": r.name, "level": r.level, "reason": r.reason, "remedy": r.remedy}
                 for r in RULES]  # fmt: skip
        print(json.dumps(shown, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("RULE", "LEVEL", "WHY", "WHAT TO DO", box=None, pad_edge=False)
    for rule in RULES:
        table.add_row(rule.name, rule.level, escape(rule.reason), escape(rule.remedy))
    Console().print(table)


def run_validate(options: ValidateOptions) -> int:
    """Print what is wrong; return 1 where something would be refused, or is and that is strict."""
    known = {rule.name for rule in RULES} | _CHECKS.keys()
    if unknown := sorted(set(options.ignore) - known):
        raise UserError(
            f"there is no rule {', '.join(unknown)}; there are {', '.join(sorted(known))}"
        )
    read = read_places(list(options.places) or ["."], options.namespace)
    if not read.documents and not read.unread:
        raise UserError(f"there are no objects in {', '.join(options.places) or '.'}")
    found = [each for each in _findings(read, options) if each.rule not in options.ignore]
    found.sort(key=lambda each: (each.file, each.line, list(Level).index(each.level)))
    if options.output == "json":
        counts = {"files": read.files, "objects": len(read.documents)}
        print(json.dumps({**counts, "findings": [asdict(each) for each in found]}, indent=2))
    else:
        _print(read, found)
    bad = {Level.ERROR, Level.WARNING} if options.strict else {Level.ERROR}
    return 1 if any(each.level in bad for each in found) else 0


def _findings(read: Read, options: ValidateOptions) -> Iterator[Finding]:
    for each in read.unread:
        yield Finding(_UNREAD, Level.ERROR, each.file, each.line, "", "", each.why)
    definitions = [doc.obj for doc in read.documents if _is_definition(doc)]
    kinds, typed = Kinds(definitions), list[Document]()
    for doc in read.documents:
        answer = _answer(kinds, doc, options.namespace)
        if answer is None:
            what = f"nothing is known of {doc.obj.get('apiVersion')} {doc.obj.get('kind')}"
            remedy = "name the file of its CustomResourceDefinition as well"
            text = f"{what}: it was not checked"
            yield _finding(doc, _UNKNOWN, Level.HINT, "kind", message=text, remedy=remedy)
            continue
        for refusal in answer.refusals:
            yield _finding(doc, _REFUSED, Level.ERROR, refusal.field, message=refusal.message)
        for text in answer.warnings:
            yield _finding(doc, _WARNED, Level.HINT, "", message=text)
        typed += [doc] if answer.is_typed else []
    objects = [doc.obj for doc in typed]
    for doc in typed:
        for rule, (field, what) in practice(doc.obj, objects):
            yield _finding(doc, rule.name, rule.level, field, message=what,
                           reason=rule.reason, remedy=rule.remedy)  # fmt: skip


def _is_definition(doc: Document) -> bool:
    """Whether it defines a kind, and rightly; what is wrong with it is told of beside."""
    if doc.obj.get("kind") != "CustomResourceDefinition":
        return False
    return not Kinds().answer(doc.obj, "").refusals


def _answer(kinds: Kinds, doc: Document, namespace: str) -> Answer | None:
    """What a server would say; None of a kind of which nothing is known."""
    if kinds.kind(doc.obj) is None:
        return None
    metadata = doc.obj.get("metadata")
    own = metadata.get("namespace") if isinstance(metadata, dict) else None
    return kinds.answer(doc.obj, str(own or namespace))


def _finding(
    doc: Document,
    rule: str,
    level: Level,
    field: str,
    *,
    message: str,
    reason: str = "",
    remedy: str = "",
) -> Finding:
    metadata = doc.obj.get("metadata")
    title = meta.name(doc.obj) if isinstance(metadata, dict) else ""
    called = f"{doc.obj.get('kind')} {title}".strip()
    line = doc.line_of(field)
    return Finding(rule, level, doc.file, line, called, field, message, reason, remedy)


def _print(read: Read, found: Sequence[Finding]) -> None:
    """Print a line for each finding, then once what each rule is about."""
    for each in found:
        place = f"{each.file}:{each.line}" if each.line else each.file
        named = each.field if each.field and each.field not in each.message else ""
        text = ": ".join(part for part in (each.object, named, each.message) if part)
        print(f"{place}: {each.level}: {text} [{each.rule}]")
    about = {each.rule: (each.reason, each.remedy) for each in found if each.remedy}
    if about:
        print()
    for rule, words in sorted(about.items()):
        print(f"{rule}: {'; '.join(word for word in words if word)}")
    counts = Counter(each.level for each in found)
    told = ", ".join(_count(counts[level], level) for level in Level if counts[level])
    objects, files = _count(len(read.documents), "object"), _count(read.files, "file")
    print(f"{objects} in {files}: {told or 'nothing is wrong'}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
