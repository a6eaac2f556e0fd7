"""Secrets in free text: a corpus of what is taken, a corpus of what stays, and properties that hold for any text."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchdog.redaction import Redactor
from watchdog.redaction.patterns import RULES
from watchdog.redaction.redactor import PIECE, TEXT_LIMIT

S = "Zx9canary77QqLongSecretValue"
"""The canary: in every line of the corpus, and never in what comes out."""

B64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + S
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n{B64}\n{B64}==\n-----END RSA PRIVATE KEY-----"

TAKEN = [
    # (text with the canary, what must stay)
    (f"Authorization: Bearer {S}", "Authorization: "),
    (f"authorization={S} status=500", "status=500"),
    (f'{{"headers":{{"Authorization":"Basic {S}"}},"status":500}}', '"status":500'),
    (f"curl -H 'Authorization: Token {S}' https://api/books", "https://api/books"),
    (
        f"Proxy-Authorization: AWS4-HMAC-SHA256 Credential=AKIA/{S}, SignedHeaders=host, Signature={S}",
        "SignedHeaders=host",
    ),
    (f"sent bearer {S}12 to api", "to api"),
    (f"token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{S}.{S}_x-y", "token"),
    (f"eyJhbGciOiJIUzI1NiJ9.{S}", ""),
    (f"Cookie: session={S}; theme=dark", "Cookie: "),
    (f"set-cookie: sid={S}; Path=/; HttpOnly", "set-cookie"),
    (f"postgres://books:{S}@db.internal:5432/books", "@db.internal:5432/books"),
    (f"postgresql+asyncpg://books:{S}/with?odd#signs@db/books", "@db/books"),
    (f"redis://:{S}@cache:6379/0", "@cache:6379/0"),
    (f"amqp://u:{S}@mq//vhost, mongodb://v:{S}@one", "@mq//vhost"),
    (f"cloning https://user:{S}@git.example/x.git", "@git.example/x.git"),
    (f"cloning https://{S}@git.example/x.git", "@git.example/x.git"),
    (f"https://acc.blob.core.windows.net/c?sv=2024&se=2026&sig={S}%3D&sp=r", "&sp=r"),
    (f"GET /hook?code={S}&x=1", "&x=1"),
    (f"GET /x?api_key={S}", "GET /x?api_key="),
    (f"GET /cb?access_token={S}#top", "access_token="),
    (f"Server=tcp:db,1433;User ID=sa;Password={S};Encrypt=True", "Encrypt=True"),
    (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={S}==;EndpointSuffix=core", "EndpointSuffix=core"),
    (f"Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={S}=", "Endpoint=sb://x/"),
    (f"InstrumentationKey={S};IngestionEndpoint=https://x/", "IngestionEndpoint=https://x/"),
    (f"PGPASSWORD={S} psql -h db", "psql -h db"),
    (f"DB_PASS={S}", "DB_PASS="),
    (f"export MYSQL_PWD='{S} with spaces {S}'; run", "run"),
    (f'password: "{S} \\" and {S}"', "password: "),
    (f'{{"password":"{S}","user":"ada"}}', '"user":"ada"'),
    (f'{{"msg":"{{\\"client_secret\\":\\"{S}\\",\\"n\\":1}}"}}', '\\"n\\":1'),
    (f'{{"m":"{{\\\\\\"apiKey\\\\\\": \\\\\\"{S}\\\\\\"}}"}}', "apiKey"),
    (f"{{'token': '{S}', 'user': 'ada'}}", "'user': 'ada'"),
    (f"X-Api-Key: {S}", "X-Api-Key: "),
    (f"secret := {S}", "secret := "),
    (f'"clientSecret" => "{S}"', "clientSecret"),
    (f"<dbPassword>{S} x</dbPassword><port>1</port>", "<port>1</port>"),
    (f"run --password {S} --port 80", "--port 80"),
    (f'run --db-token "{S}" --port 80', "--port 80"),
    (f"run --api-key={S} --port 80", "--port 80"),
    (f"curl -u ada:{S} http://x/", "http://x/"),
    (f"passphrase = {S}", "passphrase = "),
    (f"password={S}\\tail\\{S}", "password="),
    (f"before\n{PEM}\nafter", "after"),
    (f"half of a key, {PEM[:90]}", "half of a key"),
    (PEM[40:] + "\nafter", "after"),
    ('{"key":"' + PEM.replace("\n", "\\n") + '"}', '{"key":"'),
    (f"see https://hooks.slack.com/services/T0/B0/{S} now", "now"),
]

PROVIDERS = [
    "AKIA" + "ABCDEFGHIJKLMNOP", "ghp_" + "a1" * 18, "github_pat_" + "a1" * 20, "glpat-" + "a1" * 10, "xoxb-" + "1234567890-abc",
    "AIza" + "a1" * 17, "sk_live_" + "a1" * 10, "npm_" + "a1" * 18, "hvs." + "a1" * 12, "sk-" + "proj-" + "a1" * 12,
    "SG." + "a1" * 10 + "." + "b2" * 10,
]  # fmt: skip

STAYS = [
    "2026-01-01T00:00:00Z ERROR GET /api/books?page=3 failed: 500 in 12 ms trace=4bf92f3577b34da6a3ce929d0e0e4736",
    "Back-off restarting failed container api in pod books-7d9c-abc12",
    "basic authentication is used; the bearer authentication scheme failed",
    "http://books-api.bookstore:8080/health?email=a@b answered 503",
    "registry.example/books@sha256:4bf92f3577b34da6a3ce929d0e0e47364bf92f3577b34da6a3ce929d0e0e4736",
    "panic: runtime error: invalid memory address\n\tmain.go:42 +0x1d",
    'MountVolume.SetUp failed: secret "db-credentials" not found',
    "the token has expired",
    "keyboard monkey author=ada compass bypass",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "",
]


@pytest.mark.parametrize(("text", "stays"), TAKEN)
def test_a_secret_is_taken_and_what_stands_around_it_stays(text, stays):
    clean, counts = Redactor().text(text)
    assert S not in clean
    assert stays in clean
    assert "«redacted-" in clean
    assert sum(counts.values()) >= 1


@pytest.mark.parametrize("key", PROVIDERS)
@pytest.mark.parametrize("around", ["{}", "found {} in log", '"{}"', "x={},y"])
def test_keys_of_known_providers_are_taken_by_their_form(key, around):
    clean, _ = Redactor().text(around.format(key))
    assert key not in clean


@pytest.mark.parametrize("text", STAYS)
def test_ordinary_lines_stay_as_they_are(text):
    assert Redactor().text(text) == (text, {})


@pytest.mark.parametrize("rule", sorted({rule.name for rule in RULES}))
def test_every_rule_is_needed_by_a_line_of_the_corpus(rule):
    counts = Counter()
    for text in [text for text, _ in TAKEN] + PROVIDERS:
        counts.update(Redactor().text(text)[1])
    assert counts[rule] > 0


def test_counts_are_kept_per_rule():
    _, counts = Redactor(["hunter22"]).text("password=a1 password=b2 hunter22 Cookie: x=1")
    assert counts == {"known": 1, "named_value": 2, "cookie": 1}


@pytest.mark.parametrize("text", [text for text, _ in TAKEN] + STAYS + PROVIDERS)
def test_redacting_twice_changes_nothing_more(text):
    for redactor in (Redactor(), Redactor([S], salt=b"x" * 16), Redactor(emails=True)):
        once, _ = redactor.text(text)
        assert redactor.text(once)[0] == once


# -- known values ----------------------------------------------------------------------------------------------------

SECRET = 'pä ss"w/rd+1'


@pytest.mark.parametrize(
    "text",
    [
        f"login with {SECRET} failed",
        "GET /?p=p%C3%A4%20ss%22w%2Frd%2B1",
        '{"x": "pä ss\\"w/rd+1"}',
        '{"x": "p\\u00e4 ss\\"w/rd+1"}',
        "data: cMOkIHNzIncvcmQrMQ==",
    ],
)
def test_a_known_value_is_found_as_it_is_and_in_urls_json_and_base64(text):
    clean, counts = Redactor([SECRET, "other"]).text(text)
    assert counts == {"known": 1}
    assert "ss" not in clean.replace("«redacted-known»", "")


def test_the_longest_known_value_wins_and_very_short_ones_are_not_searched_for():
    clean, _ = Redactor(["abc", "secretvalue", "secretvalue-long"]).text("abc secretvalue-long secretvalue")
    assert clean == "abc «redacted-known» «redacted-known»"


def test_a_known_value_with_several_lines_is_found_whole():
    value = "first line\nsecond line"
    clean, _ = Redactor([value + "\n"]).text("x" * (PIECE - 5) + value + "\nrest")
    assert "second" not in clean
    assert clean.endswith("rest")


# -- marks -----------------------------------------------------------------------------------------------------------


def test_without_a_salt_a_mark_says_nothing_and_with_one_equal_values_have_equal_marks():
    assert Redactor().mark("known", "a") == Redactor().mark("known", "b") == "«redacted-known»"
    salted = Redactor(salt=b"0123456789abcdef")
    assert salted.mark("known", "a") == salted.mark("known", "a") != salted.mark("known", "b")
    assert Redactor(salt=b"another-salt-123").mark("known", "a") != salted.mark("known", "a")


def test_addresses_are_taken_only_on_request():
    text = "mail from ada.l+x@books.example at 12:00"
    assert Redactor().text(text)[0] == text
    assert Redactor(emails=True).text(text)[0] == "mail from «redacted-email» at 12:00"


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_text_beyond_the_limit_is_cut_and_never_passed_through_unread():
    clean, _ = Redactor().text("x\n" * (TEXT_LIMIT // 2) + f"password={S}")
    assert S not in clean
    assert clean.endswith(f"x\n«cut: {9 + len(S)} characters»")


@pytest.mark.parametrize("before", [0, 1, 5, 100, PIECE - 400, PIECE - 40, PIECE - 10, PIECE, 2 * PIECE - 60])
def test_a_private_key_is_taken_wherever_the_pieces_end(before):
    line = "an ordinary line of a log\n"
    text = (line * (before // len(line) + 1))[:before] + "\n" + PEM + "\n" + line * 2000
    clean, counts = Redactor().text(text)
    assert S not in clean
    assert counts == {"private_key": 1}
    assert clean.count(line.strip()) >= 2000


def test_pieces_together_are_the_text():
    text = "".join(f"line {n} password={S}\n" for n in range(5000))
    counts = Counter()
    pieces = list(Redactor().pieces(text, counts))
    assert len(pieces) > 5
    assert max(map(len, pieces)) < 2 * PIECE
    assert "".join(pieces) == Redactor().text(text)[0]
    assert counts == {"named_value": 5000}


HOSTILE = [
    "x", "token", "-eyJ", "eyJaaaaaaaaa.", "://a:", "a@", "password   ", 'password="', "password=\\\\", "\\", "<a", "<token",
    "redis://", "redis://a:", "basic ", "-", "-a -b ", "--token ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-u a", "a.", "=",
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_the_length_of_a_hostile_line_and_not_with_its_square(unit):
    def spent(length: int) -> float:
        text = unit * (length // len(unit))
        best = 9.0
        for _ in range(3):
            begun = time.process_time()
            Redactor(emails=True).text(text)
            best = min(best, time.process_time() - begun)
        return best

    # twelve times the length would cost 144 times as much if anything were quadratic
    assert spent(96_000) < 60 * max(spent(8_000), 0.002)


@given(st.text(alphabet="ab=:\"'\\ \n-@/.<>{}«»passwordtokenBEGIN PRIVATE KEYeyJ", max_size=300))
@settings(deadline=None, max_examples=150)
def test_for_any_text_doing_it_twice_changes_nothing_more_and_lines_stay_lines(text):
    redactor = Redactor(["passw"], salt=b"0123456789abcdef")
    once, _ = redactor.text(text)
    assert redactor.text(once)[0] == once
    assert "passw" not in once


@given(
    st.sampled_from(["password", "API_KEY", "db.token", "clientSecret", "x-access-key"]),
    st.sampled_from(["=", ": ", '":"', "='", " => "]),
    st.text(
        alphabet=st.characters(min_codepoint=48, max_codepoint=122, exclude_characters="\\;<=>`"),
        min_size=4,
        max_size=60,
    ),
)
@settings(deadline=None, max_examples=150)
def test_any_plain_value_under_a_secret_name_is_taken_whole(name, sign, value):
    clean, _ = Redactor().text(f"at 12:00 {name}{sign}{value}")
    assert clean.startswith(f"at 12:00 {name}{sign}«redacted-")
    assert clean.endswith("»")


def test_a_known_value_that_is_a_common_word_does_not_break_the_marks():
    redactor = Redactor(["password", "redacted"], salt=b"0123456789abcdef")
    once, _ = redactor.text("password=abc https://u:pw@host redacted")
    assert redactor.text(once)[0] == once
    assert "password" not in once.replace("«redacted-url_password-", "")
