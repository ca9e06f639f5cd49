"""The template language of settings, its values and its complaints."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.api.gotemplate import Struct, TemplateError, parse
from tests.recordings import TEMPLATES, exchanges

PIECES = [
    *("{{", "}}", "{{- ", " -}}", " ", ".Name", ".Labels", "$", "$x", ":=", "=", "|", "(", ")"),
    *(
        "if ",
        "else",
        "end",
        "range ",
        "with ",
        "define ",
        "template ",
        "break",
        '"a"',
        "`b`",
        "'c'",
    ),
    *("1", "-1.5", "printf ", '"%d"', "len ", "index ", "slice ", "and ", "eq ", "/*", "*/", "é"),
]

DATA = Struct(
    "config.DomainTemplateValues",
    {
        "Name": "foo",
        "Namespace": "bar",
        "Domain": "baz.com",
        "Annotations": {"sub": "x"},
        "Labels": {},
        "Header": Struct("http.Header", {"Get": {"a": "b"}.__getitem__}, items={"A": ["b", "c"]}),
        "URL": Struct("*url.URL", {"Path": "/p"}, text="/p?q"),
    },
)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{.Name}}.{{.Namespace}}.{{.Domain}}", "foo.bar.baz.com"),
        ('{{index .Annotations "sub"}}-{{.Name}}', "x-foo"),
        ("{{.Labels.none}}", "<no value>"),
        ('{{index .Labels "none"}}', ""),
        ('{{if eq .Name "foo" "x"}}yes{{else}}no{{end}}', "yes"),
        ("{{if .Labels}}a{{else if .Name}}b{{end}}", "b"),
        ("{{with .Annotations}}{{.sub}}{{end}}", "x"),
        ("a {{- .Name -}} b", "afoob"),
        ('{{.Name | printf "%s-%s" .Domain}}', "baz.com-foo"),
        ("{{if and .Name (not .Labels)}}{{len .Name}}{{end}}", "3"),
        ("{{/* a note */}}{{.Name}}", "foo"),
        ('{{"a}}b"}}', "a}}b"),
        ('{{.Header.Get "a"}}', "b"),
        ('{{"a" | .Header.Get}}', "b"),
        ('{{index .Header "A"}} {{index .Header "A" 1}} {{len .Header}}', "[b c] c 1"),
        ("{{.Header}} {{.URL}} {{.URL.Path}}", "map[A:[b c]] /p?q /p"),
    ],
)
def test_values(text: str, result: str) -> None:
    assert parse("t", text).execute(DATA) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{", "template: t:1: unclosed action"),
        ("\n{{foo}}", 'template: t:2: function "foo" not defined'),
        ("{{}}", "template: t:1: missing value for command"),
        ("{{if .Name}}x", "template: t:1: unexpected EOF"),
        ("{{end}}", "template: t:1: unexpected {{end}}"),
        (
            "a{{.Nope}}",
            'template: t:1:3: executing "t" at <.Nope>: '
            "can't evaluate field Nope in type config.DomainTemplateValues",
        ),
        (
            '{{.Name "x"}}',
            'template: t:1:2: executing "t" at <.Name>: '
            "Name has arguments but cannot be invoked as function",
        ),
        (
            '{{.Header.Get "none"}}',
            "template: t:1:9: executing \"t\" at <.Header.Get>: error calling Get: 'none'",
        ),
        (
            "{{.Name.X}}",
            'template: t:1:7: executing "t" at <.Name.X>: can\'t evaluate field X in type string',
        ),
    ],
)
def test_complaints(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as error:
        parse("t", text).execute(DATA)
    assert str(error.value) == message


RECORDED = exchanges(TEMPLATES)
OF_A_ROUTE = Struct(
    "config.DomainTemplateValues",
    {
        "Name": "hello",
        "Namespace": "ns",
        "Domain": "example.com",
        "Annotations": {"a": "b", "sub": "x"},
        "Labels": {"app": "web", "n": "3"},
    },
)


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: str(row["template"]))
def test_as_go(row: dict[str, str]) -> None:
    try:
        told = {"text": parse("domain-template", row["template"]).execute(OF_A_ROUTE)}
    except TemplateError as error:
        told = {"refused": str(error)}
    assert told == {key: row[key] for key in ("text", "refused") if key in row}


@pytest.mark.parametrize(
    "text",
    [
        "{{range $i := 1000000000}}a{{end}}",
        "{{range 20000}}{{$.Domain}}{{$.Domain}}{{end}}",
        '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}',
        '{{range 9000}}{{printf "%900d" 1}}{{end}}',
        '{{printf "%999999999999d" 1 | printf "%999999999s%999999999s"}}',
        '{{$x := "a"}}{{range 99}}{{$x = print $x $x $x}}{{end}}',
        '{{$x := printf "%300000d" 1}}{{printf "' + "%[1]s" * 5000 + '" $x}}',
        "{{" + "(" * 5000,
        "{{if 1}}" * 999 + "{{end}}" * 999,
    ],
    ids=lambda text: str(text)[:40],
)
def test_what_would_never_end_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        parse("domain-template", text).execute(OF_A_ROUTE)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_any_text_gives_text_or_a_complaint(text: str) -> None:
    with contextlib.suppress(TemplateError):
        assert isinstance(parse("t", text).execute(OF_A_ROUTE), str)
