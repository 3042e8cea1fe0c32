"""Who is journaled next: order, turns and what nobody may suffer, whatever arrives."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from sipgateway.waiting_line import LONGEST_WAITS_EVERY, Place, WaitingLine

PLENTY = 10**9
MESSAGES = st.lists(
    st.tuples(
        st.integers(0, 4),  # rank
        st.sampled_from("abcdef"),  # caller
        st.sampled_from([1, 100, 2000, 50_000, 16_000_000]),
    ),
    max_size=120,
)
# True: somebody arrives; a number: so many are taken.
STEPS = st.lists(st.one_of(st.just(True), st.integers(1, 10)), max_size=300)


def place(message):
    rank, caller, _, _ = message
    return Place(rank, caller)


def line_of(messages, short=0):
    line = WaitingLine(place, short=short)
    for message in messages:
        line.push(message, message[2])
    return line


def numbered(messages):
    return [(*message, number) for number, message in enumerate(messages)]


def everything(line):
    return list(line.take(PLENTY, PLENTY * 1000))


@given(MESSAGES, st.integers(0, 50))
def test_nothing_is_lost_and_nothing_doubled(messages, short):
    messages = numbered(messages)
    line = line_of(messages, short)
    assert len(line) == len(messages)
    assert line.size == sum(size for _, _, size, _ in messages)
    assert sorted(everything(line)) == sorted(messages)
    assert len(line) == line.size == 0 and line.oldest() is None and not line.is_long


@settings(max_examples=300)
@given(MESSAGES, STEPS, st.integers(0, 20))
def test_within_one_caller_nothing_overtakes_however_it_comes_and_goes(messages, steps, short):
    messages = numbered(messages)
    line, coming, gone = WaitingLine(place, short=short), iter(messages), []
    for step in steps:
        if step is True:
            if (message := next(coming, None)) is not None:
                line.push(message, message[2])
        else:
            gone += line.take(step, PLENTY * 1000)
        assert line.size == sum(m[2] for m in messages[: len(line) + len(gone)] if m not in gone)
    gone += everything(line)
    of_caller = defaultdict(list)
    for message in gone:
        of_caller[message[1]].append(message[3])
    assert all(numbers == sorted(numbers) for numbers in of_caller.values())


@given(MESSAGES)
def test_the_longest_waiting_come_at_the_latest_after_sixteen_times_those_before_them(messages):
    """Red without the turn of whoever has waited longest."""
    messages = numbered(messages)
    line = line_of(messages)
    for turn, message in enumerate(everything(line), start=1):
        assert turn <= LONGEST_WAITS_EVERY * (message[3] + 1)


def test_a_flood_of_urgent_messages_does_not_keep_the_others_out_for_ever():
    line = line_of([])
    line.push((9, "new", 100, 0), 100)
    for number in range(1, 100):
        line.push((0, f"live {number}", 100, number), 100)
        if (9, "new", 100, 0) in line.take(1, PLENTY):
            return
    raise AssertionError("it waits for ever")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=14))
def test_the_more_urgent_comes_first(ranks):
    messages = [(rank, f"caller {n}", 1000, n) for n, rank in enumerate(ranks)]
    assert everything(line_of(messages)) == sorted(messages, key=lambda m: (m[0], m[3]))


def test_a_caller_is_as_urgent_as_their_most_urgent_message():
    """Red when each message stands in its own rank: the second text would overtake the first."""
    quiet = [(5, "quiet", 10, n) for n in range(3)]
    mixed = [(5, "mixed", 10, 3), (5, "mixed", 10, 4), (0, "mixed", 10, 5)]
    assert [m[3] for m in everything(line_of(quiet + mixed))] == [3, 4, 5, 0, 1, 2]


def test_who_sends_much_waits_behind_their_own_messages():
    """Red in one line for all: the caller with one text would come last."""
    flood = [(0, "flood", 1000, n) for n in range(100)]
    others = [(0, f"caller {n}", 1000, 100 + n) for n in range(5)]
    order = everything(line_of(flood + others))
    assert max(order.index(message) for message in others) <= 6


def test_turns_are_counted_in_bytes():
    """Red when they are counted in messages: large ones would take the journal from the rest."""
    large = [(0, "large", 100_000, n) for n in range(10)]
    small = [(0, "small", 1_000, 10 + n) for n in range(300)]
    order = everything(line_of(large + small))
    first = order[:110]
    assert sum(m[2] for m in first if m[1] == "small") >= 95_000
    assert sum(m[1] == "large" for m in first) <= 1 + len(first) // LONGEST_WAITS_EVERY


def test_a_short_line_is_first_come_first_served_and_asks_nobody_for_a_place():
    def never(message):
        raise AssertionError("nobody should ask")

    line = WaitingLine(never, short=10)
    for number in range(10):
        line.push(number, 1)
    assert not line.is_long and line.oldest() == 0
    assert list(line.take(4, PLENTY)) == [0, 1, 2, 3]
    assert list(line.take(PLENTY, PLENTY)) == [4, 5, 6, 7, 8, 9]


def test_a_batch_ends_with_the_message_that_exceeds_its_bytes():
    line = line_of([(0, f"caller {n}", 100, n) for n in range(10)])
    assert len(list(line.take(PLENTY, 250))) == 3
    assert len(line) == 7 and line.size == 700


def test_how_many_of_a_rank_wait_is_known():
    line = line_of([(0, "a", 1, 0), (1, "b", 1, 1), (1, "a", 1, 2)])
    assert (line.of_rank(0), line.of_rank(1), line.of_rank(2)) == (1, 2, 0)
    everything(line)
    assert (line.of_rank(0), line.of_rank(1)) == (0, 0)
