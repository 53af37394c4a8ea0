"""How often an address may ask, with a clock that the test moves."""

from warehouse.access.limits import RateLimit


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_hundred_a_minute_pass_and_then_one_every_0_6_s() -> None:
    watch = Watch()
    limit = RateLimit(100, clock=watch)
    assert [limit.wait_s("a") for _ in range(101)] == [0] * 100 + [1]
    watch.now += 0.61
    assert [limit.wait_s("a") for _ in range(2)] == [0, 1]
    watch.now += 60
    assert [limit.wait_s("a") for _ in range(101)] == [0] * 100 + [1]


def test_addresses_do_not_share_a_limit() -> None:
    limit = RateLimit(1, clock=Watch())
    assert [limit.wait_s(key) for key in ("a", "b", "a", "b")] == [0, 0, 60, 60]


def test_zero_is_no_limit() -> None:
    limit = RateLimit(0)
    assert not any(limit.wait_s("a") for _ in range(1000))


def test_many_addresses_do_not_fill_the_memory() -> None:
    limit = RateLimit(1, clock=Watch(), most_keys=10)
    for number in range(1000):
        limit.wait_s(str(number))
    assert len(limit._buckets) <= 10
