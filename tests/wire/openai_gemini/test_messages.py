from typing import Any

import pytest

from tests.wire.openai_gemini.answers import answer, candidate, fold, response, stream
from tests.wire.openai_gemini.asking import FOREIGN, PNG, SIGNED, call, model, say, send, user


class TestMessages:
    def test_what_system_and_developers_say_stands_before_all(self) -> None:
        body = send(
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}, {"type": "text", "text": ""}]},
            ]
        )
        assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}
        assert body["contents"] == [user("Hi")]

    def test_instructions_alone_are_what_the_user_says(self) -> None:
        assert send(messages=[{"role": "system", "content": "Go."}]) == {"contents": [user("Go.")]}

    def test_turns_follow_one_another_and_neighbours_of_one_role_are_one(self) -> None:
        assert say(
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": "c"},
            {"role": "assistant", "content": None, "refusal": "d"},
            {"role": "assistant", "content": [{"type": "text", "text": "e"}, {"type": "refusal", "refusal": "f"}]},
            {"role": "user", "content": ""},
        ) == [user("a", "b"), model("c", "d", "e", "f"), user("")]

    def test_a_turn_in_which_nothing_was_said_is_left_out(self) -> None:
        assert say({"role": "user", "content": "a"}, {"role": "assistant", "content": ""}) == [user("a")]

    @pytest.mark.parametrize(
        ("part", "sent"),
        [
            pytest.param(
                {"type": "image_url", "image_url": {"url": PNG}},
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                id="image in a data URL",
            ),
            pytest.param(
                {"type": "image_url", "image_url": {"url": "https://example.com/a/b.JPG?c=d.png"}},
                {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a/b.JPG?c=d.png"}},
                id="image by URL",
            ),
            pytest.param(
                {"type": "image_url", "image_url": {"url": "http://example.com/picture"}},
                {"fileData": {"fileUri": "http://example.com/picture"}},
                id="image by a URL that does not say its kind",
            ),
            pytest.param(
                {"type": "file", "file": {"file_data": "data:application/pdf;name=a.pdf;base64,aGk="}},
                {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
                id="document in a data URL",
            ),
            pytest.param(
                {"type": "file", "file": {"file_data": "gs://bucket/a.pdf"}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}},
                id="document by URL",
            ),
            pytest.param(
                {"type": "input_audio", "input_audio": {"format": "mp3", "data": "aGk="}},
                {"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}},
                id="audio",
            ),
        ],
    )
    def test_media_are_parts(self, part: dict[str, Any], sent: dict[str, Any]) -> None:
        asked = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}
        assert say(asked) == [user("What is it?", sent)]


class TestCalls:
    turn = (
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": None, "tool_calls": [call("f", "1", '{"a": [1]}'), call("f", "2")]},
        {
            "role": "tool",
            "tool_call_id": "2",
            "content": [{"type": "text", "text": "B"}, {"type": "text", "text": "C"}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "A"},
        {"role": "user", "content": "And now?"},
    )

    def test_results_are_named_and_stand_in_the_order_of_their_calls(self) -> None:
        assert say(*self.turn) == [
            user("Go"),
            model(
                {"functionCall": {"name": "f", "args": {"a": [1]}}},
                {"functionCall": {"name": "f", "args": {}}},
            ),
            user(
                {"functionResponse": {"name": "f", "response": {"output": "A"}}},
                {"functionResponse": {"name": "f", "response": {"output": "B\nC"}}},
            ),
            user("And now?"),
        ]

    def test_from_gemini_3_on_calls_have_ids_and_the_first_a_signature(self) -> None:
        contents = say(*self.turn, remote="models/gemini-3-pro-preview")
        assert contents[1] == model(
            {"functionCall": {"name": "f", "args": {"a": [1]}, "id": "1"}, "thoughtSignature": FOREIGN},
            {"functionCall": {"name": "f", "args": {}, "id": "2"}},
        )
        assert [part["functionResponse"]["id"] for part in contents[2]["parts"]] == ["1", "2"]

    @pytest.mark.parametrize("remote", ["gemini-2.5-pro", "gemini-3-flash-preview"])
    def test_a_signature_goes_back_on_the_part_that_it_came_with(self, remote: str) -> None:
        details = [
            {"type": "reasoning.text", "text": "Hm.", "signature": "dGhvdWdodA==", "format": "google-gemini-v1"},
            {"type": "reasoning.text", "text": "Unsigned.", "format": "google-gemini-v1"},
            {"type": "reasoning.encrypted", "data": "c2FpZA==", "format": "google-gemini-v1"},
            {"type": "reasoning.encrypted", "data": "other", "format": "anthropic-claude-v1"},
            {"type": "reasoning.summary", "summary": "x", "format": "google-gemini-v1"},
        ]
        answer = {
            "role": "assistant",
            "content": "Yes.",
            "reasoning_details": details,
            "tool_calls": [call("f", "1", extra_content=SIGNED), call("f", "2", "", extra_content={"google": None})],
        }
        parts = say({"role": "user", "content": "Go"}, answer, remote=remote)[1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == ["dGhvdWdodA==", "c2FpZA==", "c2ln", None]
        assert parts[0] == {"text": "Hm.", "thought": True, "thoughtSignature": "dGhvdWdodA=="}
        assert parts[1]["text"] == "Yes."

    def test_a_signature_of_what_was_not_said_has_a_part_of_its_own(self) -> None:
        details = [{"type": "reasoning.encrypted", "data": "c2FpZA==", "format": "google-gemini-v1"}]
        assert say({"role": "assistant", "content": "", "reasoning_details": details}) == [
            model({"text": "", "thoughtSignature": "c2FpZA=="})
        ]

    def test_media_of_a_result_are_in_it_or_beside_it(self) -> None:
        asked = {"role": "assistant", "tool_calls": [call("f", "1")]}
        result = {"role": "tool", "tool_call_id": "1", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}
        media = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
        response = {"name": "f", "response": {"output": ""}}
        assert say(asked, result)[1] == user({"functionResponse": response}, media)
        assert say(asked, result, remote="gemini-3.1-pro")[1] == user(
            {"functionResponse": {**response, "id": "1", "parts": [media]}}
        )


SAID: list[dict[str, Any]] = [
    {"text": "Hm.", "thought": True, "thoughtSignature": "YQ=="},
    {"text": "Hi.", "thoughtSignature": "Yg=="},
    {"functionCall": {"name": "f", "args": {"a": 1}, "id": "1"}, "thoughtSignature": "Yw=="},
    {"functionCall": {"name": "g", "args": {}, "id": "2"}},
]


def test_an_answer_is_what_the_model_said_in_the_next_turn() -> None:
    message = answer(response(candidate(*SAID, finish="STOP")))["choices"][0]["message"]
    assert say(message, remote="gemini-3-flash") == [model(*SAID)]


def test_a_streamed_answer_is_what_the_model_said_in_the_next_turn() -> None:
    chunks, _ = stream(*(response(candidate(part)) for part in SAID), response(candidate(finish="STOP")))
    message = fold(chunks)["choices"][0]
    assert say(message, remote="gemini-3-flash") == [model(*SAID)]
