"""Waiting for the next request awake, and when that is given up."""

import os
import socket

import pytest

from serving.server.awake import Awake


def test_takes_what_is_there_and_sends_what_fits() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        awake = Awake(here.fileno())
        there.send(b"asked")
        assert awake.receive() == b"asked"
        assert awake.send(b"answered") == b""
        assert there.recv(100) == b"answered"
        many = b"x" * (8 << 20)
        assert 0 < len(awake.send(many)) < len(many)
        assert awake.send(b"more") == b"more"  # which is full


def test_tries_ever_more_seldom_until_something_comes_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = socket.socketpair()
    looks = 0

    def sched_yield() -> None:
        nonlocal looks
        looks += 1

    monkeypatch.setattr(os, "sched_yield", sched_yield)
    with here, there:
        here.setblocking(False)
        awake = Awake(here.fileno())
        looked = []
        for _ in range(4_000):
            looks = 0
            assert awake.receive() == b""
            looked.append(looks > 0)
        assert looked[0]
        assert sum(looked[:1_000]) <= 10
        assert 1 <= sum(looked[2_000:]) <= 2  # so what it wastes is little, but it has not given up
        there.send(b"now")
        calls = 1
        while not awake.receive():
            calls += 1
        assert calls <= 1_025
        looks = 0
        assert awake.receive() == b""
        assert looks > 0  # one came in time, so the next is waited for again


def test_the_end_of_a_connection_is_left_to_the_event_loop() -> None:
    here, there = socket.socketpair()
    with here:
        here.setblocking(False)
        there.close()
        awake = Awake(here.fileno())
        assert awake.receive() == b""
        assert awake.send(b"answer") == b"answer"
