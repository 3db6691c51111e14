"""Passwords: kept hashed or as they are, tried a few times and no more."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from login_targets import ELSEWHERE
from workbench.app.server.auth import (
    Attempts,
    Passwords,
    hash_password,
    is_password,
    own_path,
)
from workbench.tileserver import RateLimit

SCRYPT = (  # of hash_password("let me in"), before it made argon2
    "scrypt$uxcYLjjTZjrSVwVSzMR+FA==$0c1QqHqMytJJU+Hr9458XrBbeUarCJJOlblg3fC7xhU="
)
ARGON2 = (  # echo -n "let me in" | argon2 'somesalt16bytes!' -id -t 2 -k 1024 -p 1 -e
    "$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQxNmJ5dGVzIQ"
    "$KrYFfng/+7NxBAI7YIuUb3jiuHqe9Mgnp3mtr7bO5hA"
)


@pytest.mark.slow
@given(st.text(max_size=20), st.text(max_size=20))
@settings(deadline=None, max_examples=10)
def test_a_hash_knows_its_password_and_no_other(password, other):
    kept = hash_password(password)
    assert is_password(password, kept)
    assert is_password(other, kept) is (other == password)
    assert kept != hash_password(password)  # salted
    assert not is_password(kept, kept)  # the file alone opens nothing


@pytest.mark.parametrize(
    "kept",
    [
        SCRYPT,
        ARGON2,
    ],
)
def test_hashes_of_earlier_versions_and_of_other_programs_are_accepted(kept):
    assert is_password("let me in", kept)
    assert not is_password("let me out", kept)
    assert not is_password(kept, kept)


@pytest.mark.parametrize(
    "kept",
    [
        *("scrypt$", "scrypt$!$!", "scrypt$AAAA$AAAA", "$argon2id$", "$argon2id$v=19"),
        *(ARGON2[:-4], ARGON2.replace("m=1024", "m=1"), ARGON2.replace("$v", "$$v")),
        *("$argon2é", "scrypt$é$é"),
    ],
)
def test_a_damaged_hash_is_nobodys(kept):
    assert not is_password("", kept)
    assert not is_password("let me in", kept)


def test_users_have_passwords_as_they_are_or_hashed(tmp_path):
    users = {"ann": "open sesame", "bob": hash_password("let me in"), "eve": ""}
    path = tmp_path / "users.json"
    path.write_text(json.dumps(users))
    passwords = Passwords(str(path))
    assert passwords.admit("ann", "open sesame")
    assert passwords.admit("bob", "let me in")
    for user, password in [
        ("ann", ""),
        ("bob", users["bob"]),
        ("carol", ""),
        ("eve", ""),
        # What the first user knows lets in nobody else.
        ("carol", "open sesame"),
        ("eve", "open sesame"),
    ]:
        assert not passwords.admit(user, password)
    path.write_text("{}")
    assert not passwords.admit("ann", "open sesame")
    assert Passwords("one for all").admit("anybody", "one for all")


def test_who_knows_the_password_may_log_in_as_often_as_they_like():
    attempts = Attempts()
    for _ in range(200):
        assert attempts.spend("10.0.0.1", "ann")
        attempts.refund("10.0.0.1", "ann")
    assert sum(attempts.spend("10.0.0.1", "ann") for _ in range(20)) == 5
    assert attempts.spend("10.0.0.1", "bob")
    # Many names from one address come to an end as well.
    assert sum(attempts.spend("10.0.0.1", f"name {n}") for n in range(200)) < 60


def test_tries_come_back_with_time():
    now = [0.0]
    rate = RateLimit(0.1, burst_s=50, clock=lambda: now[0])
    assert [rate.spend("a") for _ in range(6)] == [True] * 5 + [False]
    now[0] = 10.5
    assert [rate.spend("a") for _ in range(2)] == [True, False]


# --- where a login leads


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_a_login_leads_nowhere_else(wanted):
    assert own_path(wanted) == "/"


@pytest.mark.parametrize(
    "wanted", ["/", "/workbench", "/workbench?slide=a%20b.svs&x=//y"]
)
def test_a_login_leads_where_the_user_wanted_to_go(wanted):
    assert own_path(wanted) == wanted


@given(st.text(max_size=30))
@pytest.mark.slow
def test_whatever_is_asked_for_a_login_stays_on_the_site(text):
    from urllib.parse import urljoin, urlsplit  # noqa: PLC0415

    path = own_path(f"/{text}")
    assert urlsplit(urljoin("http://own.example/login", path)).netloc == "own.example"
    assert path.isprintable()


def test_panel_asks_the_same_where_others_say_who_one_is():
    import panel.auth  # noqa: PLC0415

    assert panel.auth._validate_next_url is own_path
