"""Which passwords may be set: long enough, short enough to be hashed whole, and not among the commonest."""

import re

SHORTEST, LONGEST_BYTES = 12, 72

# What the commonest passwords are made of; digits and signs around a word do not help.
_COMMON = """
abc abcd admin administrator asdf azerty baseball batman changeme charlie chelsea computer correcthorsebatterystaple
default dragon football freedom fuckyou geheim google guest hallo hello hunter iloveyou internet jesus jordan justin
killer letmein liverpool login loveme lovely master michael monkey mustang mypassword naruto ninja nopassword pass
passord password passwort pokemon princess qwer qwert qwerty qwertz root samsung schatz secret shadow soccer sommer
spring starwars summer sunshine superman supersecret temp test tester testing thisisapassword trustno trustnoone user
username welcome welcomehome whatever willkommen winter
"""  # noqa: E501
_WORDS = frozenset(_COMMON.split())
# Rows and columns of a keyboard, the alphabet and the digits: pieces of them are typed, not chosen.
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn",
    "qazwsxedcrfvtgbyhnujmikolp",
    "zaq12wsxcde34rfvbgt5",
)
_DISGUISES = str.maketrans("013457@$!", "oleastasi")


def password_problem(password: str, username: str = "") -> str | None:
    """What is wrong with a new password, with the remedy; None when it may be set."""
    if password != password.strip():
        # The sign-in form cuts them off.
        return "A password cannot begin or end with a space. Leave the space out."
    if "\x00" in password:
        return "A password cannot hold this control character. Leave it out."
    if (length := len(password)) < SHORTEST:
        return f"The password has {length} characters. Use at least {SHORTEST}; a short sentence is fine."
    if (size := len(password.encode())) > LONGEST_BYTES:
        return f"The password has {size} bytes and only {LONGEST_BYTES} would count. Use a shorter one."
    if _is_common(password.casefold(), username.casefold()):
        return "This password is guessed first. Use a few words that do not belong together."
    return None


def _is_common(password: str, username: str) -> bool:
    if len(set(password)) <= 4 or re.fullmatch(r"(.{1,6})\1+.{0,3}", password):
        return True
    if len(_without_runs(password)) < 4:
        return True
    known = _WORDS | ({username} if len(username) > 2 else set())
    word = re.sub(r"^[^a-z]+|[^a-z]+$", "", password)
    return any(_once(form) in known for form in (word, word.translate(_DISGUISES)))


def _without_runs(password: str) -> str:
    """What is left when every piece of a run, four characters or longer, is taken out, the longest first."""
    for size in range(len(password), 3, -1):
        for start in range(len(password) - size + 1):
            piece = password[start : start + size]
            if any(piece in run or piece[::-1] in run for run in _RUNS):
                return _without_runs(password[:start]) + _without_runs(password[start + size :])
    return password


def _once(word: str) -> str:
    """A word without its repetitions: letmeinletmein is letmein."""
    found = re.fullmatch(r"(.+?)\1+", word)
    return found[1] if found else word
