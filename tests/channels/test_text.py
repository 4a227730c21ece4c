"""Text that several channels and the pages share: Markdown as harmless HTML, and where a value leads."""

from __future__ import annotations

import pytest

from channels.text import link, safe_html


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("a *b* **c** `d`", "<p>a <em>b</em> <strong>c</strong> <code>d</code></p>\n"),
        ("<b>x</b> <script>y</script>", "<p>&lt;b&gt;x&lt;/b&gt; &lt;script&gt;y&lt;/script&gt;</p>\n"),
        ("# One\n\n###### Six", "<h2>One</h2>\n<h6>Six</h6>\n"),
        ("## Two\n\n### Three\n\n## Two", "<h2>Two</h2>\n<h3>Three</h3>\n<h2>Two</h2>\n"),
        ("> ### Three\n\n###### Six", "<blockquote>\n<h2>Three</h2>\n</blockquote>\n<h5>Six</h5>\n"),
        (
            "[a](https://x.example/?b=1&c=2)",
            '<p><a href="https://x.example/?b=1&amp;c=2" rel="noopener noreferrer">a</a></p>\n',
        ),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>\n"),
        ("[a](/here)", "<p>[a](/here)</p>\n"),
        (
            "![a map](https://x.example/m.png)",
            '<p><a href="https://x.example/m.png" rel="noopener noreferrer">a map</a></p>\n',
        ),
    ],
)
def test_markdown_becomes_harmless_html(markdown: str, expected: str) -> None:
    assert safe_html(markdown) == expected


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("https://x.example/a", "https://x.example/a"),
        ("x.example/help", "https://x.example/help"),
        ("+1 (555) 010-0199", "tel:+15550100199"),
        ("911", "tel:911"),
        ("2026-11-23", ""),
        ("help@x.example", "mailto:help@x.example"),
        ("javascript:alert(1)", ""),
        ("Old Market Square", ""),
        ("", ""),
    ],
)
def test_an_action_leads_where_its_value_says(value: str, target: str) -> None:
    assert link(value) == target
