"""Patterns of secrets in free text.

Role: the rules that `redactor` applies in order. Guarantees: each pattern looks at every character a bounded number of
times - every repetition is either over a class that cannot match what follows it, or begins where the character before
does not belong to it, or is bounded - so a hostile log line costs time in proportion to its length.
Not guaranteed: a secret that looks like a word is found only by its name or as a configured value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import Pattern

PEM_LIMIT = 20_000
"""Longest body of a private key in characters; RSA with 16384 bits has about 13 000."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and what stays of it. `keep` names groups of the match that are put back around the mark."""

    name: str
    pattern: Pattern[str]
    before: str = ""
    after: str = ""


_WORD = (  # what a name contains when its value is a secret
    r"(?:pass(?:word|wd|phrase|wort)|pwd|secret|token|credentials?|conn(?:ection)?[_-]?str(?:ing)?|cookie|dsn|signature|"
    r"(?:api|access|account|private|shared|signing|encryption|master|auth|client|instrumentation)[_-]?(?:access[_-]?)?key|"
    r"pass(?=\\{0,8}[\"']?=))"
)

_QUOTE = r"(?:\\{0,8}[\"'])?"  # also inside JSON that stands inside JSON
_IS = rf"{_QUOTE}[ \t]{{0,4}}(?::=|=>|[:=])[ \t]{{0,4}}"

_VALUE = (
    r"(?:"
    r"\\{1,8}[\"'](?:[^\"'\\\r\n]|\\+[^\"'\\])*"  # a string inside a string
    r'|"(?:[^"\\\r\n]|\\.)*'
    r"|'(?:[^'\\\r\n]|\\.)*"
    r"|(?:[^\s;&\"'<>\\]|\\(?![\"']))+"  # bare: to the end of the word
    r")"
)

RULES: tuple[Rule, ...] = (
    Rule(
        "private_key",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----"
            rf"(?:(?!-----)[\s\S]){{0,{PEM_LIMIT}}}(?:-----END [A-Z0-9 ]{{0,40}}PRIVATE KEY-----)?"
        ),
    ),
    Rule(  # the tail of a log that was cut inside a key
        "private_key",
        re.compile(rf"\A(?:(?!-----)[\s\S]){{0,{PEM_LIMIT}}}-----END [A-Z0-9 ]{{0,40}}PRIVATE KEY-----"),
    ),
    Rule("jwt", re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*")),
    Rule(
        "authorization",
        re.compile(
            rf"(?P<before>\b(?:proxy-)?authorization{_IS}{_QUOTE})(?:[A-Za-z0-9-]{{1,20}}[ \t]{{1,4}})?[^\s\"'\\,;]+",
            re.IGNORECASE,
        ),
        before="before",
    ),
    Rule(
        "bearer",
        re.compile(
            r"(?P<before>\b(?:bearer|basic)[ \t]{1,4})(?=[A-Za-z._~+/-]{0,64}[0-9=])[\w.~+/=-]{8,}", re.IGNORECASE
        ),
        before="before",
    ),
    Rule(
        "cookie",
        re.compile(
            rf"(?P<before>\b(?:set-)?cookie{_IS}{_QUOTE})[^\r\n\"'\\]+",
            re.IGNORECASE,
        ),
        before="before",
    ),
    Rule(  # their passwords hold any character, and nobody writes them encoded
        "url_password",
        re.compile(
            r"(?P<before>\b(?:postgres(?:ql)?|mysql|mariadb|mongodb|redis|rediss|amqps?|mssql|sqlserver|clickhouse|nats|ldaps?)"
            r"(?:\+\w{1,20})?://[^\s/@:\"'<>]{0,256}:)[^\s\"'<>]{1,1024}(?P<after>@)",
            re.IGNORECASE,
        ),
        before="before",
        after="after",
    ),
    Rule(
        "url_password",
        re.compile(r"(?P<before>://[^\s/@:\"'<>?#]{0,256}:)[^\s/\"'<>?#]{1,1024}(?P<after>@)"),
        before="before",
        after="after",
    ),
    Rule(
        "url_token",
        re.compile(r"(?P<before>://)[^\s/@:\"'<>?#]{16,1024}(?P<after>@)"),
        before="before",
        after="after",
    ),
    Rule(
        "url_signature",
        re.compile(
            r"(?P<before>[?&;](?:sig|signature|code|key|auth|session|sid|x-amz-signature|x-amz-credential|"
            r"x-amz-security-token|x-goog-signature)=)[^&\s\"'#<>\\]+",
            re.IGNORECASE,
        ),
        before="before",
    ),
    Rule(
        "named_value",
        re.compile(
            rf"(?P<before>{_WORD}[\w.-]{{0,32}}{_IS}){_VALUE}",
            re.IGNORECASE,
        ),
        before="before",
    ),
    Rule(
        "named_flag",
        re.compile(
            rf"(?P<before>(?<![\w-])--?[\w-]{{0,40}}?{_WORD}[\w-]{{0,32}}[ \t]{{1,4}})(?![-\s]){_VALUE}",
            re.IGNORECASE,
        ),
        before="before",
    ),
    Rule(
        "named_element",
        re.compile(rf"(?P<before><[\w:.-]{{0,40}}?{_WORD}[\w.-]{{0,32}}>)[^<]+", re.IGNORECASE),
        before="before",
    ),
    Rule(
        "user_flag",
        re.compile(r"(?P<before>(?<![\w-])(?:-u|--user)[ =]\\{0,8}[\"']?[^\s:\"']{1,64}:)[^\s\"'\\]+"),
        before="before",
    ),
    Rule(
        "provider_key",
        re.compile(
            r"(?<![A-Za-z0-9_])(?:(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Z])|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{20,}|"
            r"glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|[rsp]k_live_[A-Za-z0-9]{16,}|npm_[A-Za-z0-9]{30,}|"
            r"pypi-[\w-]{40,}|hvs\.[\w-]{20,}|sk-[\w-]{24,}|dop_v1_[a-f0-9]{40,}|SG\.[\w-]{16,}\.[\w-]{16,})"
        ),
    ),
    Rule(
        "webhook",
        re.compile(r"(?P<before>hooks\.slack\.com/(?:services|workflows|triggers)/)[^\s\"'<>\\]+", re.IGNORECASE),
        before="before",
    ),
)

EMAIL = Rule("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"))
