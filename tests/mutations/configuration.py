"""What keeps a bad file from doing harm."""

from tests.mutations.protection import Protection

_DOCUMENT = "tests/config/test_document.py"
_NOT_ALLOWED = f"{_DOCUMENT}::test_what_yaml_allows_and_this_file_does_not_is_a_fault_among_others"

PROTECTIONS = (
    Protection(
        "yaml-runs-nothing",
        "No tag of a file is ever constructed.",
        "gateway/config/document.py",
        "text = content.decode()",
        "text = content.decode(); yaml.unsafe_load(text)",
        (f"{_DOCUMENT}::test_a_python_tag_runs_nothing",),
    ),
    Protection(
        "yaml-tags",
        "A tag is a fault.",
        "gateway/config/document.py",
        "if not is_of(tag, value):",
        "if False:",
        (_NOT_ALLOWED,),
    ),
    Protection(
        "alias-bomb",
        "What aliases repeat is bounded.",
        "gateway/config/document.py",
        "MAX_REPEATED = 10_000",
        "MAX_REPEATED = 1_000_000",
        (f"{_DOCUMENT}::test_an_alias_bomb_costs_no_more_than_its_text",),
    ),
    Protection(
        "duplicate-keys",
        "A key that is there twice is a fault, not the last one's victory.",
        "gateway/config/document.py",
        "elif key in frame.holder:",
        "elif False:",
        (_NOT_ALLOWED,),
    ),
    Protection(
        "secret-files",
        "No more than 64 KB of a secret's file are taken for the secret.",
        "gateway/config/credentials.py",
        "if len(content) > MAX_BYTES:",
        "if False:",
        ("tests/config/test_credentials.py::test_a_file_that_cannot_be_a_secret_is_refused",),
    ),
)
