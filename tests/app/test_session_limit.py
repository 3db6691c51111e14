"""Open pages are counted, of each user and in all, and refused beyond the limits."""

from __future__ import annotations

from types import SimpleNamespace

import panel as pn
import pytest
from tornado.web import HTTPError, create_signed_value

from event_loop import run_coroutine
from workbench.app.server.config import Limits
from workbench.app.server.session_limit import SessionLimit

SECRET = "a-secret-of-this-test"  # noqa: S105 - no real one


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setattr(pn.config, "cookie_secret", SECRET)


@pytest.fixture
def limit():
    return SessionLimit(Limits(sessions=3, user_sessions=2))


def request_of(user, key=SECRET):
    """Return a request with the cookie of a user, signed with a key."""
    signed = create_signed_value(key, "user", user).decode()
    return SimpleNamespace(cookies={"user": signed})


def visit(limit, name, request):
    """Open a page, as a server does; return what closes it."""
    limit.process_request(request)
    session = SimpleNamespace(id=name, request=request)
    run_coroutine(limit.on_session_created(session))
    return lambda: run_coroutine(limit.on_session_destroyed(session))


def test_a_user_has_only_so_many_pages_until_one_is_closed(limit):
    close = visit(limit, "a", request_of("ann"))
    visit(limit, "b", request_of("ann"))
    with pytest.raises(HTTPError, match="Too many open pages") as refused:
        limit.process_request(request_of("ann"))
    assert refused.value.status_code == 503
    limit.process_request(request_of("bob"))
    close()
    limit.process_request(request_of("ann"))


def test_all_users_have_only_so_many_pages(limit):
    for name, user in (("a", "ann"), ("b", "bob"), ("c", "cem")):
        visit(limit, name, request_of(user))
    with pytest.raises(HTTPError, match="Too many open pages"):
        limit.process_request(request_of("dan"))
    assert len(limit) == 3


@pytest.mark.parametrize(
    "asked", [SimpleNamespace(cookies={}), request_of("ann", "another-key")]
)
def test_pages_without_a_valid_login_are_of_no_user(limit, asked):
    for name in "abc":
        visit(limit, name, asked)
    with pytest.raises(HTTPError, match="Too many open pages"):
        limit.process_request(asked)


def test_a_page_is_closed_once(limit):
    close = visit(limit, "a", request_of("ann"))
    close()
    close()
    assert len(limit) == 0


def test_health_has_numbers_and_no_names(limit):
    visit(limit, "page-of-ann", request_of("ann"))
    runs = SimpleNamespace(active=lambda: ["one-run", "another-run"])
    health = limit.health(runs)
    assert (health["sessions"], health["sessions_at_most"]) == (1, 3)
    assert health["runs"] == 2
    assert "ann" not in str(health)
