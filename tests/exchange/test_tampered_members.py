"""One member of a good file changed, and the manifest made anew: each change is refused at its place, or is harmless and says why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exchange.trust import TrustFile
from exchange.verification import REPORT, TRUST_SUGGESTION, entry_folder, verify_evidence
from ledger import NoteSigner
from tests.exchange.dossier import (
    EVERBATT,
    RELEASE,
    EverBatt,
    Members,
    refuse,
    remade,
)


def folder_of(everbatt: EverBatt, name: str) -> str:
    return entry_folder(everbatt.entries[name].index)


def put(name: str, change: Callable[[bytes], bytes]) -> Callable[[EverBatt, Members], None]:
    """Change a member; `{nickel}` and the like in its name stand for an entry's folder."""

    def apply(everbatt: EverBatt, members: Members) -> None:
        path = filled(everbatt, name)
        before = members[path]
        members[path] = change(before)
        assert members[path] != before

    return apply


def drop(*names: str) -> Callable[[EverBatt, Members], None]:
    """Leave out every member whose name begins like one of `names`."""

    def apply(everbatt: EverBatt, members: Members) -> None:
        starts = tuple(filled(everbatt, name) for name in names)
        for name in [name for name in members if name.startswith(starts)]:
            del members[name]

    return apply


def swap(first: str, second: str) -> Callable[[EverBatt, Members], None]:
    """Exchange the contents of two members, or of two folders."""

    def apply(everbatt: EverBatt, members: Members) -> None:
        a, b = filled(everbatt, first), filled(everbatt, second)
        for name in [name for name in members if name == a or name.startswith(f"{a}/")]:
            other = b + name.removeprefix(a)
            members[name], members[other] = members[other], members[name]

    return apply


def add(name: str, data: bytes) -> Callable[[EverBatt, Members], None]:
    return lambda everbatt, members: members.update({filled(everbatt, name): data})


def move(first: str, second: str) -> Callable[[EverBatt, Members], None]:
    """Rename a member or a folder."""

    def apply(everbatt: EverBatt, members: Members) -> None:
        a, b = filled(everbatt, first), filled(everbatt, second)
        for name in [name for name in members if name == a or name.startswith(f"{a}/")]:
            members[b + name.removeprefix(a)] = members.pop(name)

    return apply


def filled(everbatt: EverBatt, name: str) -> str:
    folders = {
        "lithium": folder_of(everbatt, "lithium-carbonate"),
        "nickel": folder_of(everbatt, "nickel-sulfate"),
        "nmc": folder_of(everbatt, "NMC622"),
        "lfp": folder_of(everbatt, "LFP"),
        "footprint": folder_of(everbatt, f"footprint {EVERBATT}"),
    }
    return name.format(**folders)


def flip(data: bytes) -> bytes:
    """Change a character in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def line_less(data: bytes) -> bytes:
    return b"".join(data.splitlines(keepends=True)[1:])


def twice(data: bytes) -> bytes:
    return data + data.splitlines(keepends=True)[0]


Change = Callable[[EverBatt, Members], None]
CHANGED: dict[str, tuple[Change, str, str]] = {
    # tokens
    "token changed": (put("{nickel}/token", flip), "{nickel}: inclusion proof", "root"),
    "token with a line feed": (put("{nickel}/token", lambda data: data + b"\n"), "{nickel}: inclusion proof", ""),
    "token empty": (put("{nickel}/token", lambda _: b""), "{nickel}: inclusion proof", ""),
    "tokens of two suppliers swapped": (swap("{lithium}/token", "{nickel}/token"), "{lithium}: inclusion proof", ""),
    "token removed": (drop("{nickel}/token"), "{nickel}/token", "missing"),
    # disclosures
    "disclosure dropped": (put("{nmc}/disclosures", line_less), "results/", "not in the file"),
    "all disclosures dropped": (put("{nmc}/disclosures", lambda _: b""), "results/", "not in the file"),
    "disclosure changed": (put("{nmc}/disclosures", flip), "{nmc}: disclosure", ""),
    "disclosure twice": (put("{nmc}/disclosures", twice), "{nmc}: disclosures", "twice"),
    "disclosures of two statements swapped": (swap("{nickel}/disclosures", "{nmc}/disclosures"), "{nickel}: ", ""),
    "disclosures of another statement": (
        lambda e, m: m.update({f"{folder_of(e, 'LFP')}/disclosures": m[f"{folder_of(e, 'NMC622')}/disclosures"]}),
        "{lfp}: disclosures",
        "no digest",
    ),
    "disclosures for a statement without any": (
        add("entries/000000000000/disclosures", b"WyJhIl0\n"),
        "entries/000000000000: disclosures",
        "",
    ),
    "blank lines between disclosures": (put("{nmc}/disclosures", lambda d: b"\n" + d), "{nmc}/disclosures", "line"),
    "last line not ended": (put("{nmc}/disclosures", lambda d: d[:-1]), "{nmc}/disclosures", "line"),
    "disclosures with carriage returns": (
        put("{nmc}/disclosures", lambda d: d.replace(b"\n", b"\r\n")),
        "{nmc}: disclosure 0",
        "",
    ),
    "disclosures not UTF-8": (put("{nmc}/disclosures", lambda d: b"\xff" + d), "{nmc}/disclosures", "UTF-8"),
    "a very long line": (put("{nmc}/disclosures", lambda _: b"A" * 3_000_000 + b"\n"), "{nmc}: disclosure 0", ""),
    "a million lines": (put("{nmc}/disclosures", lambda _: b"A\n" * 1_000_000), "{nmc}: disclosure 0", ""),
    "disclosures removed": (drop("{nmc}/disclosures"), "{nmc}/disclosures", "missing"),
    # proofs
    "proof changed": (put("{nickel}/proof", flip), "{nickel}: ", ""),
    "proof of another entry": (
        lambda e, m: m.update({f"{folder_of(e, 'NMC622')}/proof": m[f"{folder_of(e, 'LFP')}/proof"]}),
        "{nmc}: proof",
        "the proof is for entry",
    ),
    "proof of another index": (
        put("{nickel}/proof", lambda d: d.replace(b"index ", b"index 1", 1)),
        "{nickel}: proof",
        "the proof is for entry",
    ),
    "proof with a hash less": (
        put("{nickel}/proof", lambda d: b"\n".join([*d.split(b"\n")[:2], *d.split(b"\n")[3:]])),
        "{nickel}: inclusion proof",
        "hashes",
    ),
    "proof with an unauthenticated line": (
        put("{nickel}/proof", lambda d: d.replace(b"@v1\n", b"@v1\nextra dmVyaWZpZWQ=\n", 1)),
        "{nickel}: proof",
        "nothing vouches",
    ),
    "proof not UTF-8": (put("{nickel}/proof", lambda d: d + b"\xff"), "{nickel}: proof file", ""),
    "proof removed": (drop("{nickel}/proof"), "{nickel}/proof", "missing"),
    # entries
    "two suppliers' entries swapped": (swap("{lithium}", "{nickel}"), "{lithium}: proof", "the proof is for entry"),
    "entry at another index": (move("{nickel}", "entries/000000000999"), "entries/000000000999: proof", ""),
    "entry with a short index": (move("{nickel}", "entries/9"), "entries/9/disclosures", "no place"),
    "entry with a sign": (move("{nickel}", "entries/-00000000009"), "entries/-00000000009", "not allowed"),
    "operator's enrolment removed": (drop("entries/000000000000"), "entries/000000000001: entry 1", "not enrolled"),
    "key event removed": (drop("entries/000000000003"), "{nickel}: entry", "not enrolled"),
    "role grant removed": (drop("entries/000000000004"), "{nickel}: iss", "roles none"),
    "upstream statement removed": (drop("{nickel}"), "results/", "not in the file"),
    "sealed statement removed": (drop("{lfp}"), "results/", "not in the file"),
    "signed footprint removed": (drop("{footprint}"), "results/", "not in the file"),
    "all entries removed": (drop("entries/"), "entries", "one checkpoint"),
    # rules
    "policy changed": (
        put("policy.json", lambda d: d.replace(b'"supplier"', b'"operator"', 1)),
        "policy.json",
        "accepted",
    ),
    "policy with white space": (put("policy.json", lambda d: d + b" "), "policy.json", "accepted"),
    "policy is no policy": (put("policy.json", lambda _: b"{}"), "policy.json", "can't be read"),
    "policy deep": (put("policy.json", lambda _: b"[" * 100_000), "policy.json", "can't be read"),
    "policy removed": (drop("policy.json"), "policy.json", "missing"),
    "rule set changed": (
        put(f"rules/{EVERBATT}.json", lambda d: d.replace(b'"decimals": ', b'"decimals": 1', 1)),
        f"rules/{EVERBATT}.json",
        "",
    ),
    "rule set with white space": (
        put(f"rules/{EVERBATT}.json", lambda d: d + b"\n"),
        f"rules/{EVERBATT}.json",
        "accepted",
    ),
    "rule set is no rule set": (
        put(f"rules/{EVERBATT}.json", lambda _: b"{}"),
        f"rules/{EVERBATT}.json",
        "can't be read",
    ),
    "rule set under another name": (move(f"rules/{EVERBATT}.json", "rules/a.json"), "rules/a.json", "name"),
    "rule set removed": (drop(f"rules/{EVERBATT}.json"), "results/", "not in the file"),
    "rule sets swapped": (swap(f"rules/{EVERBATT}.json", "rules/cn-miit-551-trial.json"), "rules/cn-miit", "name"),
    "factor changed": (
        put(f"factors/{RELEASE}.json", lambda d: d.replace(b'"value": "', b'"value": "1', 1)),
        f"factors/{RELEASE}.json",
        "accepted",
    ),
    "factor release is none": (
        put(f"factors/{RELEASE}.json", lambda _: b"[]"),
        f"factors/{RELEASE}.json",
        "can't be read",
    ),
    "factor release under another name": (move(f"factors/{RELEASE}.json", "factors/a.json"), "factors/a.json", "name"),
    "factor release removed": (drop("factors/"), "results/", "not in the file"),
    # results and report
    "results removed": (drop("results/"), "results", "no result"),
    "report removed": (drop(REPORT), REPORT, "missing"),
    "report changed": (put(REPORT, lambda d: d.replace(b"gap:", b"gip:", 1)), REPORT, "not that of the results"),
    "report without its gaps": (
        put(REPORT, lambda d: b"".join(line for line in d.splitlines(keepends=True) if b"gap" not in line)),
        REPORT,
        "not that of the results",
    ),
    "report with a line more": (put(REPORT, lambda d: d + b"verified by nobody\n"), REPORT, "not that of the results"),
    "report with carriage returns": (
        put(REPORT, lambda d: d.replace(b"\n", b"\r\n")),
        REPORT,
        "not that of the results",
    ),
    "report not UTF-8": (put(REPORT, lambda d: d + b"\xff"), REPORT, "UTF-8"),
    # what nobody reads
    "file more": (add("readme.txt", b"verified"), "readme.txt", "no place"),
    "file more in an entry": (add("{nickel}/note", b"verified"), "{nickel}/note", "no place"),
    "file more among the results": (add("results/summary.json", b"{}"), "results/summary.json", "no place"),
    "file more among the rules": (add("rules/note.txt", b"verified"), "rules/note.txt", "no place"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_changed_file_is_refused_at_its_place(
    everbatt: EverBatt, good_file: bytes, trust: TrustFile, case: str
) -> None:
    change, where, what = CHANGED[case]
    data = remade(good_file, lambda members: change(everbatt, members))
    refuse(data, trust, filled(everbatt, where), what)


def cosigned(proof: bytes) -> bytes:
    """The proof with another signature line under its checkpoint, of a key that the reader doesn't know."""
    text = proof.decode().partition("\n\n")[2].partition("\n\n")[0]
    return proof + NoteSigner("witness.example", bytes(32)).sign(f"{text}\n").encode()


def without_releases(everbatt: EverBatt, members: Members) -> None:
    for index, entry in enumerate(everbatt.dossier.simulator.entries):
        if entry.statement.vct.endswith("release:1"):
            drop(entry_folder(index))(everbatt, members)


HARMLESS: dict[str, tuple[Change, str]] = {
    "trust suggestion removed": (drop(TRUST_SUGGESTION), "the given trust file is the anchor"),
    "trust suggestion changed": (put(TRUST_SUGGESTION, flip), "the given trust file is the anchor"),
    "signature by an unknown key": (put("{nickel}/proof", cosigned), "signed-note: unknown keys are ignored"),
    "disclosures in another order": (
        put("{nmc}/disclosures", lambda d: b"".join(sorted(d.splitlines(keepends=True), reverse=True))),
        "their digests give them their places",
    ),
    "statements of releases removed": (without_releases, "releases are accepted by the trust file"),
}


@pytest.mark.parametrize("case", HARMLESS)
def test_a_harmless_change_changes_nothing(everbatt: EverBatt, good_file: bytes, trust: TrustFile, case: str) -> None:
    change, _ = HARMLESS[case]
    data = remade(good_file, lambda members: change(everbatt, members))
    verdict, before = verify_evidence(data, trust), verify_evidence(good_file, trust)
    assert (verdict.code, verdict.text, verdict.results) == (before.code, before.text, before.results)


@pytest.mark.parametrize(("change", "what"), [(drop(TRUST_SUGGESTION), "missing"), (put(TRUST_SUGGESTION, flip), "")])
def test_first_use_needs_a_suggestion_that_can_be_read(
    everbatt: EverBatt, good_file: bytes, change: Change, what: str
) -> None:
    data = remade(good_file, lambda members: change(everbatt, members))
    verdict = verify_evidence(data, None)
    assert verdict.code == "rejected"
    assert what in verdict.text
