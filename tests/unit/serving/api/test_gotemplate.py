"""The template language of settings, its values and its complaints."""

import pytest

from serving.api.gotemplate import Struct, TemplateError, parse

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
            'template: t:1:2: executing "t" at <.Name>: can\'t give argument to non-function .Name',
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
