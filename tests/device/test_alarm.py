"""k of n raises, m quiet ones clear, then a cooldown; nothing is raised while
warming up.
"""

from inlier.alarm import Alarm


def events(alarm, hot):
    return [alarm.step(c == "x") for c in hot]


def test_two_of_four_raise_and_three_quiet_clear():
    alarm = Alarm(2, 4, 3, 0, 0)
    #                      x  .  .  .  x  .  x  .  .  x  .  .  .
    assert events(alarm, "x...x.x..x...") == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -1]


def test_hot_windows_further_apart_than_n_never_raise():
    assert sum(events(Alarm(2, 4, 3, 0, 0), "x...x...x...x...")) == 0


def test_cooldown_holds_a_new_alarm_back():
    alarm = Alarm(1, 1, 1, 2, 0)
    assert events(alarm, "x.xxx") == [1, -1, 0, 0, 1]


def test_warm_up_raises_nothing():
    assert events(Alarm(1, 1, 1, 0, 3), "xxxx") == [0, 0, 0, 1]


def test_latch_outlives_the_alarm_until_acknowledged():
    alarm = Alarm(1, 1, 1, 0, 0)
    events(alarm, "x.")
    assert not alarm.active and alarm.latched
    alarm.acknowledge()
    assert not alarm.latched
    assert Alarm(1, 1, 1, 0, 0, latched=True).latched


def test_longest_history_stays_a_small_int():
    alarm = Alarm(29, 29, 1, 0, 0)
    assert events(alarm, "x" * 29) == [0] * 28 + [1]


def test_whoever_provokes_alarms_gets_at_most_one_in_eighteen_windows():
    for period in (1, 7, 8, 9, 15, 16, 17, 30):
        alarm = Alarm(2, 8, 8, 8, 0)  # what inlier train writes
        raised = events(alarm, ("xx" + "." * period) * 60).count(1)
        assert raised <= 60 * (period + 2) // 18 + 1, period
    alarm = Alarm(2, 8, 8, 8, 0)
    assert events(alarm, ("xx" + "." * 16) * 60).count(1) == 60, "and may: that is the bound"
