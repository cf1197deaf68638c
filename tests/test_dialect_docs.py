"""docs/dialects.md says of every field what the code does with it: its tables are the code's own."""

import pytest

from gateway.wire import anthropic_openai, openai_anthropic, openai_gemini, openai_responses, responses_openai
from gateway.wire.translation import Fields
from tests.processes.served import ROOT

DOCUMENT = (ROOT / "docs/dialects.md").read_text()
TABLES: dict[str, Fields] = {
    "Chat completions to Anthropic": openai_anthropic.FIELDS,
    "Chat completions to Gemini": openai_gemini.FIELDS,
    "Chat completions to Responses": openai_responses.FIELDS,
    "Messages to chat completions": anthropic_openai.FIELDS,
    "Responses to chat completions": responses_openai.FIELDS,
}


def table(fields: Fields) -> str:
    rows = [f"| `{name}` | {field.how} | {field.note} |\n" for name, field in fields.items()]
    return "| field | | |\n|---|---|---|\n" + "".join(rows)


@pytest.mark.parametrize("title", TABLES)
def test_the_table_of_a_translation_is_the_codes(title: str) -> None:
    _, _, section = DOCUMENT.partition(f"## {title}\n")
    _, _, rows = section.partition("| field |")
    told = ("| field |" + rows).partition("\n\n")[0].strip()
    assert told == table(TABLES[title]).strip()
