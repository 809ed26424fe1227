"""The dashboard: checks the bucket with `aws s3 ls` in the main thread, and serves /, /health and /status.json beside it.

startup.sh starts it with a checked environment, in the directory that the pages are written to. It is PID 1 of the container.
It runs on the image's Python 3.9, with the standard library alone.
"""

import base64
import collections
import contextlib
import hashlib
import html
import http.server
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import typing
import urllib.request

BUCKET = os.environ["BUCKET_NAME"]
PORT = int(os.environ["PORT"])
INTERVAL = int(os.environ["CHECK_INTERVAL"])
TIMEOUT = int(os.environ["CHECK_TIMEOUT"])
ENVIRONMENT = os.environ.get("ENVIRONMENT", "")
REGION = os.environ.get("AWS_REGION", "")
FEATURES = [
    line.strip().partition(":") for line in os.environ.get("SECURITY_FEATURES", "").splitlines() if line.strip()
]
METADATA = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
CREDENTIALS = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
if os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
    CREDENTIALS = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]

# Enough for all health checks and many visitors. At the limit the oldest connection is dropped, so idle ones cannot block /health.
MAX_CONNECTIONS = 128
CONNECTION_TIMEOUT = 5
# A large bucket is not listed to the end: this many lines prove just as much.
MAX_LINES = 1000

# cause: (title, what it means, where to look first)
CAUSES = {
    "access_denied": (
        "Access denied",
        "S3 responded, but denied this task permission to list the bucket.",
        "The message below shows which kind of policy denied it: the task role (s3:ListBucket), the bucket policy "
        "(does it name this VPC endpoint?), or the endpoint policy.",
    ),
    "no_such_bucket": (
        "No such bucket",
        "S3 responded, but has no bucket with this name.",
        "BUCKET_NAME in the task definition: is it the bucket that Terraform created? "
        "Then CloudTrail (DeleteBucket), in case someone deleted it.",
    ),
    "endpoint_unreachable": (
        "Endpoint unreachable",
        "Could not connect to S3.",
        "The S3 gateway endpoint in the route table of this task's subnet, then outbound port 443 in the security group "
        "and the network ACL, then DNS in the VPC.",
    ),
    "expired_credentials": (
        "Credentials expired",
        "The task's credentials are no longer valid.",
        "ECS renews them automatically, so: does the task role still exist, was its session revoked, is the clock right? "
        "A new task gets new credentials.",
    ),
    "no_credentials": (
        "No credentials",
        "The task has no credentials that S3 accepts.",
        "taskRoleArn in the task definition, then whether the role still trusts ecs-tasks.amazonaws.com.",
    ),
    "throttled": (
        "Throttled",
        "S3 is asking for fewer requests.",
        "The bucket's access logs: who else reads it? If it is this check, set a longer CHECK_INTERVAL.",
    ),
    "timeout": (
        "Timed out",
        f"S3 returned no listing within {TIMEOUT} s.",
        "Packets dropped without a reply: security group, network ACL, route table. "
        "Then the load on this task (CPU in Container Insights).",
    ),
    "wrong_region": (
        "Wrong region",
        "The bucket is in a different region from the one that was asked.",
        "AWS_REGION in the task definition: is it the bucket's region?",
    ),
    "check_failed": (
        "Check failed",
        "The check failed with an error that is not one of the known causes.",
        "The message below, then this task's log.",
    ),
}
# The first match counts: error codes that S3 returned, then what the AWS CLI says when there was no response.
SYMPTOMS = [
    ("access_denied", r"\((AccessDenied|AllAccessDisabled|Forbidden|403)\)"),
    ("no_such_bucket", r"\((NoSuchBucket|404)\)"),
    (
        "expired_credentials",
        r"\((ExpiredToken|ExpiredTokenException|RequestExpired|RequestTimeTooSkewed)\)|credentials.{0,60}expired",
    ),
    (
        "no_credentials",
        r"\((InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|InvalidClientTokenId)\)"
        r"|[Uu]nable to locate credentials|retrieving credentials",
    ),
    (
        "throttled",
        r"\((SlowDown|ServiceUnavailable|Throttling|ThrottlingException|RequestLimitExceeded|TooManyRequests|503|429)\)",
    ),
    ("wrong_region", r"\((PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|301)\)"),
    (
        "endpoint_unreachable",
        r"[Cc]ould not connect|[Cc]onnect timeout|[Cc]onnection (was closed|refused|reset)|[Nn]ame or service not known"
        r"|SSL validation failed|[Ff]ailed to connect to proxy",
    ),
    ("timeout", r"[Rr]ead timeout"),
]


def now() -> str:
    """The time as ISO 8601, UTC, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def log(event: str, **fields: object) -> None:
    """Write one line of JSON to stdout."""
    sys.stdout.write(json.dumps({"time": now(), "event": event, **fields}) + "\n")
    sys.stdout.flush()


def scrub(text: str) -> str:
    """Make one line of at most 400 characters, with everything that looks like a credential removed."""
    text = " ".join(text.split())
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        if os.environ.get(name):
            text = text.replace(os.environ[name], "[removed]")
    text = re.sub(r"\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}", r"\1[removed]", text)
    text = re.sub(
        r"""(?i)(token|secret|signature|authorization|credential)(["']?\s*[=:]\s*)[^\s,;&]+""", r"\1\2[removed]", text
    )
    text = re.sub(r"[A-Za-z0-9+/=]{60,}", "[removed]", text)
    return text if len(text) <= 400 else text[:399] + "\u2026"


def classify(message: str) -> str:
    """The cause, a key of CAUSES, behind an error message of the AWS CLI."""
    for cause, pattern in SYMPTOMS:
        if re.search(pattern, message):
            return cause
    return "check_failed"


class Check:
    """One run of `aws s3 ls`.

    `cause` (None if the bucket could be listed), `message`, `entries` seen, `more` if the listing was cut short, `at`, `duration_ms`.
    """

    def __init__(self, stopping: threading.Event) -> None:
        started = time.monotonic()
        self.at = now()
        self.cause: typing.Optional[str] = None
        self.message, self.entries, self.more = "", 0, False
        environment = dict(
            os.environ,
            LC_ALL="C.UTF-8",
            AWS_PAGER="",
            AWS_EC2_METADATA_DISABLED="true",
            AWS_RETRY_MODE="standard",
            AWS_MAX_ATTEMPTS="2",
        )
        command = ["aws", "s3", "ls", "s3://" + BUCKET, "--color", "off"]
        command += ["--cli-connect-timeout", str(max(1, TIMEOUT // 4)), "--cli-read-timeout", str(TIMEOUT)]
        pipe = subprocess.PIPE
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment)
        except OSError as error:
            self.cause, self.message = "check_failed", scrub(str(error))
        else:
            self._watch(child, started + TIMEOUT, stopping)
        self.duration_ms = int((time.monotonic() - started) * 1000)

    def _watch(self, child: subprocess.Popen[bytes], deadline: float, stopping: threading.Event) -> None:
        """Read its output until it ends, MAX_LINES have come, the deadline passes or the container stops."""
        stdout, stderr = child.stdout, child.stderr
        assert stdout is not None and stderr is not None
        said, timed_out = b"", False
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(stderr, selectors.EVENT_READ)
            while selector.get_map() and not stopping.is_set():
                if time.monotonic() > deadline:
                    timed_out = True
                    break
                for key, _ in selector.select(0.2):
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is stdout:
                        self.entries += chunk.count(b"\n")
                    elif len(said) < 65536:
                        said += chunk
                if self.entries >= MAX_LINES:
                    self.more = True
                    break
        if self.more or timed_out or stopping.is_set():
            child.kill()
        # Either it was killed or it closed its pipes, which usually means that it has exited.
        try:
            code = child.wait(1)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        stdout.close()
        stderr.close()
        if self.more or (timed_out and self.entries):
            self.more = True
        elif timed_out:
            self.cause, self.message = "timeout", f"aws s3 ls was killed after {TIMEOUT} s."
        elif code != 0:
            self.message = scrub(said.decode("utf-8", "replace")) or f"aws s3 ls exited with code {code}."
            self.cause = classify(self.message)


def reap_orphans() -> None:
    """Reap processes that PID 1 has inherited, such as a health check that ECS gave up on."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def fetch_json(url: str) -> typing.Any:
    """Get a document from the ECS agent. No proxy: its address is link-local."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=1) as answer:
        return json.loads(answer.read(262144))


def identity() -> dict[str, str]:
    """Task ID, zone, definition and role, as reported by ECS; empty outside ECS. Of the credentials, only the role's ARN is kept."""
    found = {}
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if METADATA:
            task = fetch_json(METADATA + "/task")
            found["task"] = str(task.get("TaskARN", "")).rpartition("/")[2]
            found["availability_zone"] = str(task.get("AvailabilityZone", ""))
            found["task_definition"] = f"{task.get('Family', '')}:{task.get('Revision', '')}"
        if CREDENTIALS:
            found["role"] = str(fetch_json(CREDENTIALS).get("RoleArn", ""))
    return {key: value for key, value in found.items() if value}


class Status:
    """The results so far. The server reads only the files made from it."""

    def __init__(self) -> None:
        self.started = self.since = now()
        self.state = "checking"
        self.cause: typing.Optional[str] = None
        self.checks = self.failures = 0
        self.last: typing.Optional[Check] = None
        self.task: dict[str, str] = {}
        self.history: collections.deque[Check] = collections.deque(maxlen=40)

    def add(self, check: Check) -> None:
        """Take in the result of a check."""
        state = "degraded" if check.cause else "healthy"
        if (state, check.cause) != (self.state, self.cause):
            self.since = check.at
        self.state, self.cause, self.last = state, check.cause, check
        self.checks += 1
        self.failures += bool(check.cause)
        self.history.append(check)

    def explained(self) -> tuple[str, str, str]:
        """Title, what it means, where to look first; the last is empty unless degraded."""
        if self.cause:
            return CAUSES[self.cause]
        if self.state == "healthy":
            return ("Healthy", "This task can list the bucket.", "")
        return ("Checking", "The first listing of the bucket is in progress.", "")

    def document(self) -> dict[str, object]:
        """What /status.json contains."""
        title, meaning, first_look = self.explained()
        last = self.last and {
            "at": self.last.at,
            "duration_ms": self.last.duration_ms,
            "entries": self.last.entries,
            "entries_complete": not self.last.more,
            "message": self.last.message,
        }
        return {
            "state": self.state,
            "cause": self.cause,
            "title": title,
            "meaning": meaning,
            "look_at_first": first_look,
            "since": self.since,
            "checks": self.checks,
            "failures": self.failures,
            "last_check": last,
            "interval_seconds": INTERVAL,
            "timeout_seconds": TIMEOUT,
            "bucket": BUCKET,
            "region": REGION,
            "environment": ENVIRONMENT,
            "started": self.started,
            "identity": self.task,
        }


def learn_identity(status: Status) -> None:
    """Ask ECS until it has answered in full. Runs in its own thread, so that the checks do not wait for it."""
    for _ in range(20):
        status.task = identity()
        if len(status.task) == 4 or not (METADATA or CREDENTIALS):
            return
        time.sleep(3)


STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#52606f;--line:#dfe4ea;--ok:#0b6b3a;--okbg:#e4f4ea;--bad:#a4231a;--badbg:#fdeae8;--wait:#2b5597;--waitbg:#e7eefa}
@media(prefers-color-scheme:dark){:root{--bg:#10151b;--card:#18202a;--ink:#e8edf3;--soft:#a3b1c0;--line:#2b3642;--ok:#67d496;--okbg:#12301f;--bad:#ff9d92;--badbg:#3a1815;--wait:#94baf5;--waitbg:#16263f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,body>footer{max-width:60rem;margin:0 auto;padding:0 1.25rem}main{padding-top:2rem}body>footer{padding-bottom:3rem}
a{color:var(--wait)}
h1,h2,p,dl,dd,ul{margin:0}
header{display:flex;justify-content:space-between;align-items:baseline;gap:1rem;flex-wrap:wrap;margin-bottom:1.25rem}
h1{font-size:1.1rem;font-weight:650}
h2{font-size:.95rem;font-weight:650;margin-bottom:.75rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.25rem 1.5rem;margin-bottom:1rem}
.soft,footer{color:var(--soft)}
footer,.small{font-size:.875rem}
#live:not(:empty){position:sticky;top:0;padding:.6rem 1.25rem;text-align:center;font-weight:600;background:var(--ink);color:var(--bg)}
.state{display:flex;gap:1.25rem;align-items:flex-start;border-color:transparent}
.state svg{flex:none;width:3rem;height:3rem}
.state h2{font-size:1.9rem;line-height:1.15;letter-spacing:-.01em;margin:0 0 .25rem}
.healthy{background:var(--okbg)}.healthy h2,.healthy svg{color:var(--ok)}
.degraded{background:var(--badbg)}.degraded h2,.degraded svg{color:var(--bad)}
.checking{background:var(--waitbg)}.checking h2,.checking svg{color:var(--wait)}
.state>div{min-width:0;flex:1}
.kind{font-size:.875rem;font-weight:600}.look,.said{margin-top:.75rem}.since{margin-top:.75rem}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.875em;overflow-wrap:anywhere}
.said{display:block;background:var(--card);border-radius:.5rem;padding:.75rem 1rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:1rem}
.pair section{margin:0}
.pair{margin-bottom:1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1rem}
dt{color:var(--soft)}dd{overflow-wrap:anywhere}
.strip{display:flex;gap:3px;height:1.75rem;margin:.9rem 0 .4rem}
.strip i{flex:1;max-width:.75rem;border-radius:2px;background:var(--ok)}
.strip i.no{background:var(--bad);margin-top:.6rem}
.features{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(17rem,100%),1fr));gap:1rem 1.5rem}
.features strong,.features span{display:block;font-weight:600}.features span{font-weight:400}.features span::first-letter{text-transform:uppercase}
"""
SCRIPT = """
const live=document.getElementById("live");
let main=document.querySelector("main");
setInterval(async()=>{
  try{
    const answer=await fetch("/",{cache:"no-store",signal:AbortSignal.timeout(4000)});
    if(!answer.ok)throw new Error(answer.status);
    const next=new DOMParser().parseFromString(await answer.text(),"text/html");
    const fresh=next.querySelector("main");
    live.textContent=next.title===document.title?"":"Now: "+next.title;
    document.title=next.title;
    if(fresh.innerHTML!==main.innerHTML){main.replaceWith(fresh);main=fresh}
  }catch(error){
    live.textContent="This task is not responding. The page shows its last known state.";
  }
},5000);
"""
ICONS = {
    "healthy": '<path d="M14 25l7 7 14-15"/>',
    "degraded": '<path d="M24 14v13M24 33v1"/>',
    "checking": '<path d="M24 14v10l7 5"/>',
}
IDENTITY = {"role": "Role", "task": "Task", "availability_zone": "Zone", "task_definition": "Task definition"}


def moment(iso: str) -> str:
    """A `<time>` element for a time as `now` gives it."""
    shown = time.strftime("%d %b %Y, %H:%M:%S UTC", time.strptime(iso, "%Y-%m-%dT%H:%M:%SZ"))
    return f'<time datetime="{iso}">{shown}</time>'


def rows(pairs: list[tuple[str, str]]) -> str:
    """A description list; the values are HTML."""
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in pairs)}</dl>"


def check_section(status: Status) -> str:
    """What is checked, the last result, and a strip with a bar for each recent check."""
    last = status.last
    check = [("Command", f"<code>aws s3 ls s3://{html.escape(BUCKET)}</code>")]
    if last is None:
        return rows(check)
    check += [("Last check", moment(last.at)), ("Duration", f"{last.duration_ms / 1000:.1f} s")]
    if not last.cause:
        check.append(("Entries", f"{'at least ' if last.more else ''}{last.entries} at the top level"))
    check.append(("Checks", f"{status.checks}, of which {status.failures} failed"))
    total, failed = len(status.history), sum(bool(item.cause) for item in status.history)
    bars = "".join('<i class="no"></i>' if item.cause else "<i></i>" for item in status.history)
    return (
        f'{rows(check)}<div class="strip" role="img" '
        f'aria-label="Last {total} checks, oldest first: {total - failed} healthy, {failed} failed">{bars}</div>'
        f'<p class="small soft">Last {total}, oldest first; a short red bar is a failed check.</p>'
    )


def page(status: Status) -> str:
    """The dashboard as HTML."""
    title, meaning, first_look = map(html.escape, status.explained())
    kind = trouble = features = ""
    if status.last and status.last.cause:
        kind = '<p class="kind">Degraded: the task serves requests (/health is OK) but cannot list its bucket</p>'
        trouble = (
            f'<p class="look"><strong>Where to look first:</strong> {first_look}</p>'
            f'<code class="said">{html.escape(status.last.message)}</code>'
        )
    task = [
        (name, f'<span class="mono">{html.escape(status.task[key])}</span>')
        for key, name in IDENTITY.items()
        if key in status.task
    ]
    for name, _, detail in FEATURES:
        name, detail = html.escape(name.strip()), html.escape(detail.strip())
        features += f'<li><strong>{name}</strong><span class="soft">{detail}</span></li>'
    if features:
        features = f'<section><h2>Security features, as configured</h2><ul class="features">{features}</ul></section>'
    where = html.escape(" · ".join(part for part in (ENVIRONMENT, REGION) if part))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title} · {html.escape(BUCKET)}</title><link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="30"></noscript><style>{STYLE}</style></head>
<body><p id="live" role="status"></p><main>
<header><h1>Bucket access from this task</h1><p class="small soft">{where}</p></header>
<section class="state {status.state}"><svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="4"
 stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="24" cy="24" r="20"/>{ICONS[status.state]}</svg>
<div>{kind}<h2>{title}</h2><p>{meaning}</p>{trouble}<p class="small soft since">Since {moment(status.since)}</p></div></section>
<div class="pair"><section><h2>The check</h2>{check_section(status)}</section>
<section><h2>This task</h2>{rows([*task, ("Started", moment(status.started))])}</section></div>
{features}
</main><footer><p>Checked every {INTERVAL} s. This page updates itself. <a href="/status.json">status.json</a></p></footer>
<script>{SCRIPT}</script></body></html>
"""


def write(name: str, text: str) -> None:
    """Replace a file atomically: a reader gets the old version or the new one."""
    with open(name + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(name + ".new", name)


def publish(status: Status) -> None:
    """Write the pages, and set what /status.json answers with."""
    write("index.html", page(status))
    write("status.json", json.dumps(status.document(), indent=2) + "\n")
    Handler.healthy = status.state == "healthy"


def csp_hash(text: str) -> str:
    """The source expression that allows this inline style or script in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


PAGES = {"/": ("index.html", "text/html; charset=utf-8"), "/status.json": ("status.json", "application/json")}
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src {csp_hash(STYLE)}; script-src {csp_hash(SCRIPT)}; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class Handler(http.server.BaseHTTPRequestHandler):
    """GET and HEAD of three paths. Nothing from a request is ever echoed."""

    protocol_version = "HTTP/1.1"
    timeout = CONNECTION_TIMEOUT
    # /status.json answers 200 if the bucket could be listed and 503 otherwise, for a load balancer that should act on that.
    healthy = False

    def reply(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8", **headers: str) -> None:
        self.close_connection = True
        # Otherwise a request line without a version (HTTP/0.9) would be answered without a status line.
        self.request_version = self.protocol_version
        self.send_response_only(status)
        for name, value in {"Date": self.date_time_string(), **HEADERS, "Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self.reply(200, b"OK")
        elif path in PAGES:
            name, kind = PAGES[path]
            with open(name, "rb") as file:
                self.reply(200 if self.healthy or path == "/" else 503, file.read(), kind)
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def refuse(self) -> None:
        self.reply(405, b"Method not allowed\n", Allow="GET, HEAD")

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = refuse

    def send_error(self, code: int, message: typing.Optional[str] = None, explain: typing.Optional[str] = None) -> None:
        self.reply(code, (self.responses[code][0] + "\n").encode())

    def log_message(self, format: str, *args: typing.Any) -> None:
        """Log nothing: the load balancer's access log has the requests."""


class Server(http.server.ThreadingHTTPServer):
    """A thread for each connection, and at most MAX_CONNECTIONS of them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        self.connections: collections.OrderedDict[socket.socket, None] = collections.OrderedDict()
        self.lock = threading.Lock()
        super().__init__(address, Handler)

    def process_request(self, request: typing.Any, client_address: typing.Any) -> None:
        with self.lock:
            if len(self.connections) >= MAX_CONNECTIONS:
                oldest, _ = self.connections.popitem(last=False)
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self.connections[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: typing.Any) -> None:
        with self.lock:
            self.connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: typing.Any, client_address: typing.Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            log("request_error", error=type(error).__name__)


def main() -> int:
    """Check and serve until SIGTERM or SIGINT; returns the exit code."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.stack_size(256 * 1024)
    status = Status()
    publish(status)
    try:
        server = Server(("0.0.0.0", PORT))
    except OSError as error:
        log("configuration_error", message=f"Cannot listen on port {PORT}: {error.strerror}.")
        return 78
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    threading.Thread(target=learn_identity, args=(status,), daemon=True).start()
    log("start", bucket=BUCKET, port=PORT, interval_seconds=INTERVAL, timeout_seconds=TIMEOUT)
    while not stopping.is_set():
        started = time.monotonic()
        check = Check(stopping)
        if stopping.is_set():
            break
        status.add(check)
        publish(status)
        log(
            "check",
            state=status.state,
            cause=check.cause,
            duration_ms=check.duration_ms,
            entries=check.entries,
            checks=status.checks,
            since=status.since,
            bucket=BUCKET,
            message=check.message,
        )
        while not stopping.wait(min(1, max(0, started + INTERVAL - time.monotonic()))):
            reap_orphans()
            if not serving.is_alive():
                log("stop", reason="the HTTP server stopped")
                return 1
            if time.monotonic() >= started + INTERVAL:
                break
    log("stop", reason="signal", checks=status.checks)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        log("stop", reason=f"{type(error).__name__}: {error.strerror}")
        sys.exit(1)
