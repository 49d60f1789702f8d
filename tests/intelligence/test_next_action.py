"""The best channel of each person: against trying every channel one by one."""

import math

import numpy as np
import pandas as pd

from ma.intelligence.next_action import next_action

CHANNELS = ["email", "sms", "push"]


def test_the_best_channel_is_the_one_that_trying_all_of_them_finds():
    rng = np.random.default_rng(0)
    revenue = pd.DataFrame(rng.exponential(3.0, (500, 3)), columns=CHANNELS, index=range(10, 510))
    allowed = pd.DataFrame(rng.random((500, 3)) < 0.6, columns=CHANNELS, index=revenue.index)
    cost = pd.Series({"push": 0.05, "email": 0.4, "sms": 4.5})
    found = next_action(revenue, allowed, cost)
    assert list(found.index) == list(revenue.index)
    for person in revenue.index:
        earned = {c: revenue.loc[person, c] - cost[c] for c in CHANNELS if allowed.loc[person, c]}
        earned = {c: profit for c, profit in earned.items() if profit > 0.0}
        channel, profit = found.loc[person]
        if not earned:
            assert channel is None or channel != channel
            assert math.isnan(profit)
        else:
            assert channel == max(earned, key=earned.get)
            assert profit == max(earned.values())
    assert set(found["channel"].dropna()) == set(CHANNELS)
    assert found["channel"].isna().any()


def test_a_channel_of_unknown_cost_is_never_chosen():
    revenue = pd.DataFrame({"email": [5.0, 5.0], "direct_mail": [900.0, 900.0]})
    allowed = pd.DataFrame({"email": [True, False], "direct_mail": [True, True]})
    found = next_action(revenue, allowed, pd.Series({"email": 1.0, "direct_mail": math.nan}))
    assert found["channel"].tolist()[0] == "email"
    assert found["channel"].isna().tolist() == [False, True]
    found = next_action(revenue, allowed, pd.Series({"email": 1.0}))
    assert found["channel"].isna().tolist() == [False, True]


def test_what_earns_nothing_is_no_action():
    revenue = pd.DataFrame({"email": [1.0, 0.999999, 0.0]})
    allowed = pd.DataFrame({"email": [True] * 3})
    assert next_action(revenue, allowed, pd.Series({"email": 1.0}))["channel"].isna().all()


def test_a_tie_goes_to_the_first_and_nobody_is_nobody():
    one = pd.DataFrame({"sms": [2.0], "push": [2.0]})
    found = next_action(one, one > 0, pd.Series({"sms": 1.0, "push": 1.0}))
    assert found["channel"].tolist() == ["sms"]
    nobody = next_action(one.iloc[:0], (one > 0).iloc[:0], pd.Series({"sms": 1.0, "push": 1.0}))
    assert list(nobody.columns) == ["channel", "profit_minor"]
    assert len(nobody) == 0
    no_channel = next_action(pd.DataFrame(index=[4, 5]), pd.DataFrame(index=[4, 5]), pd.Series(dtype=float))
    assert no_channel["channel"].isna().tolist() == [True, True]
    assert no_channel["profit_minor"].isna().all()
