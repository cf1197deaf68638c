import pytest

from tests.wire.openai_anthropic.chats import assistant, call, result, send, text, thought, turns, user


class TestTurns:
    def test_neighbours_of_one_role_are_one_turn(self) -> None:
        assert turns(user("a"), user("b"), assistant("c"), assistant("d"), user("e")) == [
            ("user", [text("a"), text("b")]),
            ("assistant", [text("c"), text("d")]),
            ("user", [text("e")]),
        ]

    def test_parallel_results_and_the_question_after_them_are_one_turn(self) -> None:
        calls = assistant(tool_calls=[call(1, '{"a":1}'), call(2)])
        found = turns(user("Hi"), calls, result(1), result(2, [text("x")]), user("And?"))
        assert found[1][1] == [
            {"type": "tool_use", "id": "call_1", "name": "look", "input": {"a": 1}},
            {"type": "tool_use", "id": "call_2", "name": "look", "input": {}},
        ]
        assert found[2:] == [
            (
                "user",
                [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": [text("seen")]},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": [text("x")]},
                    text("And?"),
                ],
            )
        ]

    def test_a_result_may_show_an_image(self) -> None:
        image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
        found = turns(user("Hi"), assistant(tool_calls=[call(1)]), result(1, [image]))
        assert found[2][1][0]["content"] == [
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
        ]

    def test_an_empty_result_has_no_content(self) -> None:
        found = turns(user("Hi"), assistant(tool_calls=[call(1)]), result(1, ""))
        assert found[2][1] == [{"type": "tool_result", "tool_use_id": "call_1"}]

    def test_instructions_in_the_middle_do_not_part_a_call_from_its_result(self) -> None:
        system = {"role": "system", "content": "Be brief"}
        body = send(messages=[user("Hi"), assistant(tool_calls=[call(1)]), system, result(1)]).body
        assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
        assert body["system"] == [text("Be brief")]

    def test_empty_texts_are_left_out(self) -> None:
        assert turns(user("Hi"), assistant(""), user([text(" \n"), text("b")])) == [("user", [text("Hi"), text("b")])]

    def test_a_chat_that_begins_with_an_answer_gets_a_first_turn(self) -> None:
        assert turns(assistant("Hello"), user("Hi"))[0] == ("user", [text(".")])

    def test_a_chat_of_instructions_alone_is_what_the_user_says(self) -> None:
        body = send(messages=[{"role": "system", "content": "Sing"}]).body
        assert body["messages"] == [{"role": "user", "content": [text("Sing")]}]
        assert "system" not in body

    def test_an_answer_to_be_continued_ends_without_white_space_or_thoughts(self) -> None:
        assert turns(user("Hi"), assistant("Well, \n"))[1] == ("assistant", [text("Well,")])
        assert len(turns(user("Hi"), assistant(reasoning_details=[thought("Hm", "s")]))) == 1

    @pytest.mark.parametrize(
        ("arguments", "given"),
        [
            pytest.param("", {}, id="nothing"),
            pytest.param("{", {"INVALID_JSON": "{"}, id="half an object"),
            pytest.param("[1]", {"INVALID_JSON": "[1]"}, id="a list"),
            pytest.param('{"n":12345678901234567890123}', {"n": 12345678901234567890123}, id="a large number"),
            pytest.param('{"a":' * 70 + "1" + "}" * 70, {"INVALID_JSON": '{"a":' * 70 + "1" + "}" * 70}, id="deep"),
            pytest.param("[" * 99999, {"INVALID_JSON": "[" * 99999}, id="bottomless"),
        ],
    )
    def test_arguments_are_an_object_whatever_the_model_wrote(self, arguments: str, given: object) -> None:
        found = turns(user("Hi"), assistant(tool_calls=[call(1, arguments)]), result(1))
        assert found[1][1][0]["input"] == given

    def test_a_conversation_with_calls_has_tools_none_of_which_may_be_called(self) -> None:
        body = send(messages=[user("Hi"), assistant(tool_calls=[call(1)]), result(1)]).body
        assert body["tools"] == [{"name": "look", "input_schema": {"type": "object"}}]
        assert body["tool_choice"] == {"type": "none"}


class TestThoughts:
    def test_they_go_back_with_their_signatures_before_the_text(self) -> None:
        details = [
            thought("Hm", "s1"),
            {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1"},
        ]
        assert turns(user("Hi"), assistant("Hello", reasoning_details=details), user("Go"))[1][1] == [
            {"type": "thinking", "thinking": "Hm", "signature": "s1"},
            {"type": "redacted_thinking", "data": "x"},
            text("Hello"),
        ]

    def test_pieces_are_put_together(self) -> None:
        details = [thought("H"), thought("m", "s1"), thought("", "s2")]
        assert turns(user("Hi"), assistant("Hello", reasoning_details=details), user("Go"))[1][1][:2] == [
            {"type": "thinking", "thinking": "Hm", "signature": "s1"},
            {"type": "thinking", "thinking": "", "signature": "s2"},
        ]

    def test_those_of_others_and_unsigned_ones_stay_here(self) -> None:
        details = [thought("Hm", "s1", format="google-gemini-v1"), thought("Hm")]
        assert turns(user("Hi"), assistant("Hello", reasoning_details=details), user("Go"))[1][1] == [text("Hello")]


def test_a_text_file_is_a_document() -> None:
    file = {"type": "file", "file": {"file_data": "data:text/csv;base64,YSxi", "filename": "a.csv"}}
    assert turns(user([file]))[0][1] == [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}, "title": "a.csv"}
    ]
