"""What is said of tests, also that nothing can be said; without a database."""

from datetime import UTC, datetime

import pytest

from ma.analytics.experiment_arms import HELD_OUT, Experiment
from ma.analytics.experiment_verdicts import points, split, verdict
from ma.analytics.experiments import rate_differences
from ma.simulation.sample_size import detectable_rate

ENDS = datetime(2026, 3, 1, 3, tzinfo=UTC)


def experiment(shares=None, **arms):
    """A test that is over; arms by label (held_out: those) as (people, converted), planned alike."""
    labels = [HELD_OUT if label == "held_out" else label for label in arms]
    shares = shares or [1 / len(arms)] * len(arms)
    rows = [
        {"label": label, "share": share, "people": people, "planned_people": people, "converted": converted,
         "revenue_minor": 0.0}
        for label, share, (people, converted) in zip(labels, shares, arms.values(), strict=True)
    ]  # fmt: skip
    campaign = {"campaign_id": 1, "name": "Spring", "over": True, "ends_at": ENDS, "waves_to_come": 0,
                "eligibility": None, "forecast": None, "waves": 1}  # fmt: skip
    return Experiment(campaign, rows)


def compared(test):
    return rate_differences([test], figure="converted")


def found(test, *, zone="UTC", **campaign):
    test = Experiment(test.campaign | campaign, test.arms)
    rows = list(compared(test).itertuples(index=False, name="Difference"))
    return verdict(test, rows, zone=zone)


def test_a_message_that_is_better_is_named_with_its_size():
    said = found(experiment(A=(500, 20), B=(500, 60)))
    assert said["messages_finding"] == "better"
    assert said["holdout_finding"] is None
    assert said["verdict"] == (
        "B converted more people than A: 12.0 % against 4.0 % of A, "
        "+8.0 percentage points (+4.7 to +11.4), p < 0.001."
    )


def test_a_message_that_is_worse_is_called_that():
    said = found(experiment(A=(600, 60), B=(600, 20)))
    assert said["messages_finding"] == "worse"
    assert "B converted fewer people than A" in said["verdict"]
    assert said["verdict"].endswith("Stay with A.")


def test_several_winners_are_not_ranked_among_themselves_and_the_others_are_told():
    said = found(experiment(A=(400, 20), B=(400, 60), C=(400, 64), D=(400, 3), E=(400, 21)))["verdict"]
    assert said.startswith("C converted more people than A")
    assert "So did B; which of them is best, this does not decide." in said
    assert "D converted fewer than A." in said
    assert "Between A and E no difference was found." in said


def test_no_difference_says_what_the_test_could_have_seen():
    test = experiment(A=(500, 25), B=(500, 30))
    assert found(test)["messages_finding"] == "no difference"
    seen = (detectable_rate(0.055, 500, 500) - 0.055) * 100
    assert found(test)["verdict"] == (
        "No difference found in conversions between A and B; this test could have seen "
        f"± {seen:.1f} percentage points."
    )
    [row] = compared(test).to_dict("records")
    assert row["power"] < 0.1
    assert row["needed"] > 50_000


def test_a_difference_that_only_many_comparisons_make_is_none():
    """p = 0.03 alone; of three such comparisons the adjusted one is 0.09."""
    two, four = (
        experiment(A=(500, 25), B=(500, 42)),
        experiment(A=(500, 25), B=(500, 42), C=(500, 25), D=(500, 25)),
    )
    assert 0.02 < compared(two)["p_value"].iloc[0] == compared(four)["p_value"].iloc[0] < 0.05
    assert found(two)["messages_finding"] == "better"
    assert found(four)["messages_finding"] == "no difference"


def test_people_who_are_not_split_as_planned_forbid_every_finding():
    said = found(experiment(A=(600, 20), B=(400, 60), held_out=(500, 0)))
    assert set(said.values()) >= {"split alarm"}
    assert said["messages_finding"] == said["holdout_finding"] == "split alarm"
    assert said["verdict"].startswith("People are not split as planned: A 40.0 % (planned 33.3 %)")
    assert said["verdict"].endswith("No winner can be named: find the cause first.")
    assert "converted" not in said["verdict"]


def test_an_unusual_split_is_a_warning_and_the_finding_stays():
    said = found(experiment(A=(545, 20), B=(455, 60)))
    assert said["verdict"].startswith("The split of people is unusual, so read this with care: A 54.5 %")
    assert "B converted more people than A" in said["verdict"]


def test_a_split_that_cannot_be_checked_says_why():
    assert "planned shares are not known" in split(experiment([float("nan")] * 2, A=(50, 1), B=(50, 2)))
    assert "too few people" in split(experiment(A=(3, 1), B=(4, 2)))


def test_before_it_is_over_nothing_is_decided():
    test = experiment(A=(500, 20), B=(500, 60), held_out=(500, 10))
    said = found(test, over=False, zone="America/New_York")
    assert said["messages_finding"] == said["holdout_finding"] == "not over"
    # Three in the morning in UTC is the evening before there.
    assert said["verdict"].startswith("Not over: conversions count until 28 February 2026. Do not stop it")
    assert "So far against A: B +8.0 percentage points (+4.7 to +11.4)." in said["verdict"]
    assert "So far sent against held out: +6.0 percentage points" in said["verdict"]
    one = found(test, over=False, waves_to_come=1)["verdict"]
    assert one.startswith("Not over: 1 wave has still to go out, and conversions count until 1 March 2026.")
    paused = found(test, over=False, waves_to_come=2, ends_at=None)["verdict"]
    assert "2 waves have still to go out, and until when conversions count is not known yet." in paused


@pytest.mark.parametrize(
    ("sent", "held", "finding", "words"),
    [
        (
            (1_000, 80),
            (1_000, 20),
            "better",
            "It brought conversions: 8.0 % against 2.0 % of those held out, +6.0",
        ),
        (
            (1_000, 20),
            (1_000, 80),
            "worse",
            "It cost conversions: those who were sent it bought less often, 2.0 %",
        ),
        (
            (1_000, 20),
            (1_000, 21),
            "no difference",
            "No effect found against those held out: -0.10 percentage",
        ),
    ],
)
def test_the_holdout_tells_gain_harm_and_nothing_as_plainly(sent, held, finding, words):
    said = found(experiment(A=sent, held_out=held))
    assert said["holdout_finding"] == finding
    assert said["messages_finding"] is None
    assert said["verdict"].startswith(words)
    people = "That is about 60 people (41 to 80)" in said["verdict"]
    assert people == (finding != "no difference")


def test_without_people_or_conversions_it_says_nothing():
    assert found(experiment(A=(0, 0), B=(0, 0)))["verdict"] == "There is nobody to compare yet."
    unknown = experiment(A=(50, float("nan")), B=(50, float("nan")))
    assert found(unknown)["verdict"] == "Conversions are unknown: it can say nothing."


def test_points_have_a_sign_and_as_many_digits_as_they_need():
    assert [points(value) for value in (0.0123, -0.00456, 0.0, float("nan"))] == [
        "+1.2",
        "-0.46",
        "+0.0",
        "–",
    ]
    assert points(0.02, sign=False) == "2.0"
