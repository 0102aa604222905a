"""At several horizons k of the last n scores raise it, m windows in a row
without a reason clear it, then a cooldown; an alarm that is on is told again
when it grows.
"""

from inlier.alarm import GROWN, TELL_AFTER, TOLD_MAX, Alarm, Horizons


class Rule:
    """What the alarm asks of a model."""

    def __init__(self, horizons, clear_after=3, cooldown=0, warmup=0):
        self._horizons = horizons
        self.clear_after = clear_after
        self.cooldown = cooldown
        self.warmup = warmup

    def horizons(self):
        return iter(self._horizons)


SCORES = {"x": 11, "=": 10, ".": 0}  # against a threshold of 10


def events(alarm, hot):
    return [alarm.step(SCORES[c]) for c in hot]


def random_numbers(count, below, seed=1):
    """The same on every interpreter, of which not all have `random`."""
    found = []
    for _ in range(count):
        seed = (seed * 1021 + 24593) & 0xFFFFF
        found.append((seed >> 4) % below)
    return found


def test_two_of_four_raise_and_three_quiet_clear():
    alarm = Alarm(Rule([(2, 4, 10)]))
    #                      x  .  .  .  x  .  x  .  .  x  .  .  .
    assert events(alarm, "x...x.x..x...") == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -1]


def test_a_score_that_equals_its_threshold_does_not_count():
    assert events(Alarm(Rule([(1, 1, 10)])), "===x") == [0, 0, 0, 1]
    horizons = Horizons(Rule([(1, 1, 10), (2, 2, 5)]))
    assert [horizons.step(score) for score in (5, 5, 6, 10, 5, 11)] == [
        False,
        False,
        False,
        True,  # 6 and 10 are two over 5
        False,
        True,  # one over 10
    ]


def test_hot_windows_further_apart_than_n_never_raise():
    assert sum(events(Alarm(Rule([(2, 4, 10)])), "x...x...x...x...")) == 0


def test_each_horizon_counts_its_own_last_n_over_its_own_threshold():
    rules = [(2, 3, 90), (3, 5, 50), (7, 11, 10), (20, 24, 5)]
    scores = random_numbers(3000, 100)
    for divisor in (1, 2, 8):  # the more it divides, the longer the horizons that reach
        horizons = Horizons(Rule(rules))
        reached = 0
        for i in range(len(scores)):
            expected = False
            for k, n, limit in rules:
                last = [score // divisor for score in scores[max(0, i - n + 1) : i + 1]]
                expected = expected or sum(score > limit for score in last) >= k
            assert horizons.step(scores[i] // divisor) == expected, (divisor, i)
            reached += expected
        assert 0 < reached < 3000, "a rule that always or never decides tests nothing"


def test_equal_thresholds_are_counted_at_both_horizons():
    horizons = Horizons(Rule([(3, 3, 10), (4, 6, 10)]))
    assert [horizons.step(SCORES[c]) for c in "xx.xx."] == [False] * 4 + [True, True]


def test_the_longest_horizon_that_a_model_may_have_keeps_its_count():
    """n is a byte, and so is the count."""
    horizons = Horizons(Rule([(255, 255, 10)]))
    assert [horizons.step(11) for _ in range(254)] == [False] * 254
    assert all([horizons.step(11) for _ in range(300)])
    assert not horizons.step(10) and not horizons.step(11)


def test_cooldown_holds_a_new_alarm_back():
    alarm = Alarm(Rule([(1, 1, 10)], clear_after=1, cooldown=2))
    assert events(alarm, "x.xxx") == [1, -1, 0, 0, 1]


def test_warm_up_raises_nothing_and_what_came_in_it_does_not_count():
    assert events(Alarm(Rule([(1, 1, 10)], warmup=3)), "xxxx") == [0, 0, 0, 1]
    assert events(Alarm(Rule([(2, 4, 10)], warmup=3)), "..xx.x") == [0, 0, 0, 0, 0, 1]


def test_another_reason_than_the_score_raises_at_once_and_holds_the_alarm_on():
    alarm = Alarm(Rule([(2, 4, 10)], clear_after=2))
    assert [alarm.step(0, also) for also in (False, True, False, True, False, False)] == [
        0,
        1,
        0,
        0,
        0,
        -1,
    ]


def test_latch_outlives_the_alarm_until_acknowledged():
    alarm = Alarm(Rule([(1, 1, 10)], clear_after=1))
    events(alarm, "x.")
    assert not alarm.active and alarm.latched
    alarm.acknowledge()
    assert not alarm.latched
    assert Alarm(Rule([(1, 1, 10)]), latched=True).latched
    assert not Alarm(Rule([(1, 1, 10)])).latched, "nothing was raised yet"


def test_while_it_is_idle_a_window_over_no_threshold_need_not_be_taken():
    """Held against an alarm that takes every window."""
    rules = [(2, 3, 90), (3, 5, 50), (7, 11, 10)]
    every, some = (Alarm(Rule(rules, clear_after=4, cooldown=2, warmup=3)) for _ in range(2))
    scores = random_numbers(4000, 100)
    untaken = 0
    for i in range(len(scores)):
        score = scores[i] // (1, 40, 9, 40)[i // 50 % 4]
        took = score > 10 or not some.idle
        untaken += not took
        assert (some.step(score) if took else 0) == every.step(score), i
    assert untaken > 500, "the short way was not gone"


def test_an_alarm_that_is_on_is_not_idle_whatever_the_reason():
    alarm = Alarm(Rule([(2, 4, 10)], clear_after=2))
    assert alarm.step(0) == 0 and alarm.idle
    assert alarm.step(0, True) == 1 and not alarm.idle, "or nothing would clear it"


def told_at(alarm, scores, leading=None):
    """Windows, from 0, in which it is raised or grows."""
    return [i for i in range(len(scores)) if alarm.step(scores[i], False, leading) > 0]


def test_an_alarm_grows_at_four_times_the_score_last_told():
    assert GROWN == 4 and TELL_AFTER == 8
    rule = Rule([(1, 1, 10)])
    assert told_at(Alarm(rule), [100] + [399] * 40) == [0]
    assert told_at(Alarm(rule), [100] + [400] * 40) == [0, 8], "told once, and is 400 from then on"
    assert told_at(Alarm(rule), [100] * 20 + [400] * 20) == [0, 20], "at once, so late"
    steps = [100 * 4 ** (i // 10) for i in range(50)]
    assert told_at(Alarm(rule), steps) == [0, 10, 20, 30, 40]
    assert told_at(Alarm(rule), [11 * 4**i for i in range(12)]) == [0, 8], (
        "whatever it grows by, at most once in eight windows"
    )


def test_the_score_told_first_counts_as_one_at_least():
    """A reason besides the score may raise it at 0: 4 is four times 1."""
    alarm = Alarm(Rule([(9, 9, 1000)]))
    assert alarm.step(0, True) == 1
    assert [alarm.step(3, True) for _ in range(9)] == [0] * 9
    assert alarm.step(4, True) == 2


def test_another_counter_that_leads_is_told_once_each_and_four_in_all():
    leads = [5]

    def leading():
        return leads[0]

    alarm = Alarm(Rule([(1, 1, 10)]))
    found = []
    for i in range(160):
        leads[0] = (5, 5, 7, 5, 7, 1, 2, 3, 4, 6, 8)[min(i // 8, 10)]
        event = alarm.step(100, False, leading)
        if event:
            found.append((i, event, leads[0]))
    assert found == [(0, 1, 5), (16, 2, 7), (40, 2, 1), (48, 2, 2)]
    assert TOLD_MAX == alarm.n_told == 4 and list(alarm.told) == [5, 7, 1, 2]


def test_a_counter_that_leads_again_takes_no_second_place_among_those_told():
    """Else four growths would fill the places, and a fifth leave them."""
    alarm = Alarm(Rule([(1, 1, 10)]))
    scores = [11 * 4 ** (i // 8) for i in range(60)]
    assert told_at(alarm, scores, lambda: 5) == [0, 8, 16, 24, 32, 40, 48, 56]
    assert alarm.n_told == 1 and alarm.told[0] == 5


def test_who_leads_is_asked_once_in_eight_windows():
    """It goes through all features: not a thing for each window."""
    asked = []

    def leading():
        asked.append(1)
        return 3

    alarm = Alarm(Rule([(1, 1, 10)]))
    alarm.step(11, False, leading)
    del asked[:]
    for _ in range(80):
        alarm.step(11, False, leading)
    assert len(asked) == 10


def test_windows_without_a_reason_put_off_what_is_told():
    alarm = Alarm(Rule([(1, 1, 10)], clear_after=9))
    scores = [100] + [400] * 6 + [0] * 8 + [400] * 4
    assert told_at(alarm, scores) == [0, 16], "the eighth window with a reason since it was told"


def test_a_new_alarm_has_told_nothing_yet():
    alarm = Alarm(Rule([(1, 1, 10)], clear_after=1))
    assert alarm.step(1000, False, lambda: 2) == 1 and alarm.step(0) == -1
    assert alarm.step(20, False, lambda: 2) == 1 and alarm.peak == 20 and alarm.n_told == 1


def test_whoever_provokes_alarms_gets_at_most_one_in_twenty_two_windows():
    def trained():  # what inlier train writes
        return Alarm(Rule([(2, 8, 10)], clear_after=8, cooldown=8))

    for period in (1, 7, 8, 9, 15, 16, 17, 22, 30):
        raised = events(trained(), ("xx" + "." * period) * 60).count(1)
        assert raised <= 60 * (period + 2) // 22 + 1, period
    # two hot windows are two of eight for six more, then eight clear, eight
    # cool
    assert events(trained(), ("xx" + "." * 22) * 60).count(1) == 60, "and may: that is the bound"
