#!/bin/sh
# What the Fargate task runs: checks the bucket with `aws s3 ls`, writes the dashboard, serves / and /health.
#
# The task definition passes this file as the argument of `sh -c`, inside an image that holds nothing of ours. The shell looks
# at what it was given, then becomes Python (3.9 in the image), which is PID 1 from there on. Configuration is by environment:
#   BUCKET_NAME        bucket to list (required)
#   PORT               port to serve on (8080)
#   CHECK_INTERVAL     seconds from the start of one check to the next (30)
#   CHECK_TIMEOUT      seconds a check may take (10)
#   PAGES_DIR          the one writable directory: the pages, HOME and TMPDIR (/var/dashboard)
#   ENVIRONMENT        name shown on the page
#   SECURITY_FEATURES  lines of `title: detail`, shown on the page
set -eu
LC_ALL=C
umask 077

fail() {
  printf '{"event":"configuration_error","message":"%s"}\n' "$1" >&2
  exit 78
}

whole_number() {
  case $2 in
    '' | *[!0-9]* | ??????*) fail "$1 must be a whole number from $3 to $4." ;;
  esac
  if [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
    fail "$1 must be a whole number from $3 to $4."
  fi
}

BUCKET_NAME=${BUCKET_NAME:-}
PORT=${PORT:-8080}
CHECK_INTERVAL=${CHECK_INTERVAL:-30}
CHECK_TIMEOUT=${CHECK_TIMEOUT:-10}
PAGES_DIR=${PAGES_DIR:-/var/dashboard}

# A name outside these characters is no bucket, and could be read as an option of the command line.
case $BUCKET_NAME in
  '') fail "BUCKET_NAME is not set: name the bucket to check." ;;
  *[!a-z0-9.-]* | [.-]* | *[.-]) fail "BUCKET_NAME is no bucket name: lower-case letters, digits, dots and hyphens." ;;
esac
if [ "${#BUCKET_NAME}" -lt 3 ] || [ "${#BUCKET_NAME}" -gt 63 ]; then
  fail "BUCKET_NAME must have 3 to 63 characters."
fi
whole_number PORT "$PORT" 1 65535
whole_number CHECK_INTERVAL "$CHECK_INTERVAL" 1 3600
whole_number CHECK_TIMEOUT "$CHECK_TIMEOUT" 1 60
for command in aws python3; do
  command -v "$command" >/dev/null || fail "The image has no $command."
done
if [ ! -d "$PAGES_DIR" ] || [ ! -w "$PAGES_DIR" ]; then
  fail "PAGES_DIR is no directory that uid $(id -u) may write to: mount a volume there and give it to that user."
fi
cd -- "$PAGES_DIR"
HOME=$PAGES_DIR
TMPDIR=$PAGES_DIR
export BUCKET_NAME PORT CHECK_INTERVAL CHECK_TIMEOUT PAGES_DIR HOME TMPDIR

# -I: no module from the working directory, which is writable, and nothing from PYTHON* variables.
exec python3 -I -X utf8 - <<'PYTHON'
"""The container's process: one check loop in the main thread, one HTTP server beside it."""
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
import subprocess
import sys
import threading
import time
import urllib.request

BUCKET = os.environ["BUCKET_NAME"]
PORT = int(os.environ["PORT"])
INTERVAL = int(os.environ["CHECK_INTERVAL"])
TIMEOUT = int(os.environ["CHECK_TIMEOUT"])
ENVIRONMENT = os.environ.get("ENVIRONMENT", "")
REGION = os.environ.get("AWS_REGION", "")
FEATURES = [line.strip().partition(":") for line in os.environ.get("SECURITY_FEATURES", "").splitlines() if line.strip()]
METADATA = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
CREDENTIALS = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
if os.environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
    CREDENTIALS = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]

# Enough for every health checker and many people; at the limit the oldest connection goes, so idle ones cannot stop /health.
MAX_CONNECTIONS = 128
CONNECTION_TIMEOUT = 5
# A large bucket is not listed to its end: this many lines prove as much.
MAX_LINES = 1000

# cause: (title, what it means, what to look at first)
CAUSES = {
    "access_denied": (
        "Access denied",
        "S3 answers, and refuses this task the list of the bucket.",
        "The message below says which kind of policy refused: the task role (s3:ListBucket), the bucket policy "
        "(is the VPC endpoint the one it names?), or the endpoint policy.",
    ),
    "no_such_bucket": (
        "No such bucket",
        "S3 answers, and knows no bucket of this name.",
        "BUCKET_NAME in the task definition against the bucket that Terraform made; then whether somebody deleted it (CloudTrail, DeleteBucket).",
    ),
    "endpoint_unreachable": (
        "Endpoint unreachable",
        "No connection to S3 came about.",
        "The S3 gateway endpoint in the route table of this task's subnet, then outbound 443 in the security group and the "
        "network ACL, then DNS in the VPC.",
    ),
    "expired_credentials": (
        "Credentials expired",
        "The task's credentials are no longer valid.",
        "ECS renews them by itself, so: is the task role still there, was its session revoked, is the clock right? A new task gets new ones.",
    ),
    "no_credentials": (
        "No credentials",
        "The task was given no credentials that S3 accepts.",
        "taskRoleArn in the task definition, and whether the role still trusts ecs-tasks.amazonaws.com.",
    ),
    "throttled": (
        "Throttled",
        "S3 asks for fewer requests.",
        "Who else reads this bucket (its access logs); a longer CHECK_INTERVAL if it is this check.",
    ),
    "timeout": (
        "Timed out",
        "The list was not there within %d s." % TIMEOUT,
        "Packets that are dropped without an answer: security group, network ACL, route table; then the load on this task (CPU in Container Insights).",
    ),
    "wrong_region": (
        "Wrong region",
        "The bucket lies in another region than the one asked.",
        "AWS_REGION in the task definition against the region of the bucket.",
    ),
    "check_failed": (
        "Check failed",
        "The check ended with an error that has no name here.",
        "The message below, then the log of this task.",
    ),
}
# In this order: an error code that S3 returned, then what the command line says when there was no answer.
SYMPTOMS = [
    ("access_denied", r"\((AccessDenied|AllAccessDisabled|Forbidden|403)\)"),
    ("no_such_bucket", r"\((NoSuchBucket|404)\)"),
    ("expired_credentials", r"\((ExpiredToken|ExpiredTokenException|RequestExpired|RequestTimeTooSkewed)\)|credentials.{0,60}expired"),
    ("no_credentials", r"\((InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|InvalidClientTokenId)\)|[Uu]nable to locate credentials|retrieving credentials"),
    ("throttled", r"\((SlowDown|ServiceUnavailable|Throttling|ThrottlingException|RequestLimitExceeded|TooManyRequests|503|429)\)"),
    ("wrong_region", r"\((PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|301)\)"),
    ("endpoint_unreachable", r"[Cc]ould not connect|[Cc]onnect timeout|[Cc]onnection (was closed|refused|reset)|[Nn]ame or service not known|SSL validation failed|[Ff]ailed to connect to proxy"),
    ("timeout", r"[Rr]ead timeout"),
]


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def log(event, **fields):
    sys.stdout.write(json.dumps({"time": now(), "event": event, **fields}) + "\n")
    sys.stdout.flush()


def scrub(text):
    """One line of at most 400 characters in which nothing looks like a credential."""
    text = " ".join(text.split())
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        if os.environ.get(name):
            text = text.replace(os.environ[name], "[removed]")
    text = re.sub(r"\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}", r"\1[removed]", text)
    text = re.sub(r"""(?i)(token|secret|signature|authorization|credential)(["']?\s*[=:]\s*)[^\s,;&]+""", r"\1\2[removed]", text)
    text = re.sub(r"[A-Za-z0-9+/=]{60,}", "[removed]", text)
    return text if len(text) <= 400 else text[:399] + "\u2026"


def classify(message):
    for cause, pattern in SYMPTOMS:
        if re.search(pattern, message):
            return cause
    return "check_failed"


class Check:
    """One run of `aws s3 ls`: `cause` (None when the bucket could be listed), `message`, `entries` seen, `duration_ms`."""

    def __init__(self, stopping):
        started = time.monotonic()
        self.at = now()
        self.cause, self.message, self.entries, self.more = None, "", 0, False
        environment = dict(
            os.environ,
            LC_ALL="C.UTF-8",
            AWS_PAGER="",
            AWS_EC2_METADATA_DISABLED="true",
            AWS_RETRY_MODE="standard",
            AWS_MAX_ATTEMPTS="2",
        )
        connect = max(1, TIMEOUT // 4)
        command = ["aws", "s3", "ls", "s3://" + BUCKET, "--cli-connect-timeout", str(connect), "--cli-read-timeout", str(TIMEOUT), "--color", "off"]
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        except OSError as error:
            self.cause, self.message = "check_failed", scrub(str(error))
        else:
            self._watch(child, started + TIMEOUT, stopping)
        self.duration_ms = int((time.monotonic() - started) * 1000)

    def _watch(self, child, deadline, stopping):
        output = {child.stdout: b"", child.stderr: b""}
        timed_out = False
        with selectors.DefaultSelector() as selector:
            for stream in output:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map() and not stopping.is_set():
                if time.monotonic() > deadline:
                    timed_out = True
                    break
                for key, _ in selector.select(0.2):
                    chunk = os.read(key.fd, 65536)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is child.stdout:
                        self.entries += chunk.count(b"\n")
                    elif len(output[child.stderr]) < 65536:
                        output[child.stderr] += chunk
                if self.entries >= MAX_LINES:
                    self.more = True
                    break
        if self.more or timed_out or stopping.is_set():
            child.kill()
        # Its pipes are closed or it was ended.
        try:
            code = child.wait(1)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        child.stdout.close()
        child.stderr.close()
        if self.more or (timed_out and self.entries):
            self.more = True
        elif timed_out:
            self.cause, self.message = "timeout", "aws s3 ls was ended after %d s." % TIMEOUT
        elif code != 0:
            self.message = scrub(output[child.stderr].decode("utf-8", "replace")) or "aws s3 ls ended with code %d." % code
            self.cause = classify(self.message)


def reap_orphans():
    """Collect processes that were left to PID 1, such as a health check that ECS gave up on."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def fetch_json(url):
    """A document of the ECS agent, which is on the link itself: no proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=1) as answer:
        return json.loads(answer.read(262144))


def identity():
    """Task id, zone, definition and role as ECS tells them; empty off ECS. Of the credentials only the role's ARN is kept."""
    found = {}
    try:
        if METADATA:
            task = fetch_json(METADATA + "/task")
            found["task"] = str(task.get("TaskARN", "")).rpartition("/")[2]
            found["availability_zone"] = str(task.get("AvailabilityZone", ""))
            found["task_definition"] = "%s:%s" % (task.get("Family", ""), task.get("Revision", ""))
        if CREDENTIALS:
            found["role"] = str(fetch_json(CREDENTIALS).get("RoleArn", ""))
    except (OSError, ValueError, AttributeError):
        pass
    return {key: value for key, value in found.items() if value}


def learn_identity(status):
    """Ask until ECS has answered in full; beside the checks, so that neither waits for the other."""
    for _ in range(20):
        status.task = identity()
        if len(status.task) == 4 or not (METADATA or CREDENTIALS):
            return
        time.sleep(3)


class Status:
    """What is known so far. The server reads only the files made of it."""

    def __init__(self):
        self.started = self.since = now()
        self.state, self.cause = "checking", None
        self.checks = self.failures = 0
        self.last = None
        self.task = {}
        self.history = collections.deque(maxlen=40)

    def add(self, check):
        state = "degraded" if check.cause else "healthy"
        if (state, check.cause) != (self.state, self.cause):
            self.since = check.at
        self.state, self.cause, self.last = state, check.cause, check
        self.checks += 1
        self.failures += bool(check.cause)
        self.history.append(check)

    def explained(self):
        if self.state == "checking":
            return ("Checking", "The first list of the bucket is under way.", "")
        if self.state == "healthy":
            return ("Healthy", "This task can list the bucket.", "")
        return CAUSES[self.cause]

    def document(self):
        title, meaning, first_look = self.explained()
        last = self.last and {
            "at": self.last.at, "duration_ms": self.last.duration_ms, "entries": self.last.entries,
            "entries_complete": not self.last.more, "message": self.last.message,
        }
        return {
            "state": self.state, "cause": self.cause, "title": title, "meaning": meaning, "look_at_first": first_look,
            "since": self.since, "checks": self.checks, "failures": self.failures, "last_check": last,
            "interval_seconds": INTERVAL, "timeout_seconds": TIMEOUT,
            "bucket": BUCKET, "region": REGION, "environment": ENVIRONMENT, "started": self.started, "identity": self.task,
        }


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
    live.textContent="This task does not answer. The page shows what it last said.";
  }
},5000);
"""
ICONS = {
    "healthy": '<path d="M14 25l7 7 14-15"/>',
    "degraded": '<path d="M24 14v13M24 33v1"/>',
    "checking": '<path d="M24 14v10l7 5"/>',
}


def page(status):
    def e(value):
        return html.escape(str(value), quote=True)

    def moment(iso):
        return '<time datetime="%s">%s</time>' % (iso, time.strftime("%d %b %Y, %H:%M:%S UTC", time.strptime(iso, "%Y-%m-%dT%H:%M:%SZ")))

    def mono(value):
        return '<span class="mono">%s</span>' % e(value)

    def rows(pairs):
        return "<dl>%s</dl>" % "".join("<dt>%s</dt><dd>%s</dd>" % pair for pair in pairs)

    title, meaning, first_look = status.explained()
    last = status.last
    trouble = kind = strip = ""
    check = [("Command", "<code>aws s3 ls s3://%s</code>" % e(BUCKET))]
    if last:
        check += [("Last check", moment(last.at)), ("Took", "%.1f s" % (last.duration_ms / 1000))]
        if not last.cause:
            check.append(("Entries", "%s%d at the top level" % ("at least " if last.more else "", last.entries)))
        check.append(("Checks", "%d, of which %d failed" % (status.checks, status.failures)))
        total, failed = len(status.history), sum(bool(item.cause) for item in status.history)
        strip = (
            '<div class="strip" role="img" aria-label="Latest %d checks, oldest first: %d healthy, %d failed">%s</div>'
            '<p class="small soft">Latest %d, oldest first; a short red bar is a check that failed.</p>'
        ) % (total, total - failed, failed, "".join('<i%s></i>' % (' class="no"' if item.cause else "") for item in status.history), total)
    if status.state == "degraded":
        kind = '<p class="kind">Degraded: the task serves (/health is OK), its bucket is out of reach</p>'
        trouble = '<p class="look"><strong>Look at first:</strong> %s</p><code class="said">%s</code>' % (e(first_look), e(last.message))
    names = {"role": "Role", "task": "Task", "availability_zone": "Zone", "task_definition": "Task definition"}
    task = [(names[key], mono(status.task[key])) for key in names if key in status.task] + [("Started", moment(status.started))]
    features = "".join(
        '<li><strong>%s</strong><span class="soft">%s</span></li>' % (e(name.strip()), e(detail.strip())) for name, _, detail in FEATURES
    )
    return """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>%(title)s · %(bucket)s</title><link rel="icon" href="data:,"><noscript><meta http-equiv="refresh" content="30"></noscript><style>%(style)s</style></head>
<body><p id="live" role="status"></p><main>
<header><h1>Bucket access from this task</h1><p class="small soft">%(where)s</p></header>
<section class="state %(state)s"><svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="4" stroke-linecap="round"
 stroke-linejoin="round" aria-hidden="true"><circle cx="24" cy="24" r="20"/>%(icon)s</svg>
<div>%(kind)s<h2>%(title)s</h2><p>%(meaning)s</p>%(trouble)s<p class="small soft since">Since %(since)s</p></div></section>
<div class="pair"><section><h2>The check</h2>%(check)s%(strip)s</section>
<section><h2>This task</h2>%(task)s</section></div>
%(features)s
</main><footer><p>Checked every %(interval)d s. The page updates itself. <a href="/status.json">status.json</a></p></footer>
<script>%(script)s</script></body></html>
""" % {
        "title": e(title), "bucket": e(BUCKET), "style": STYLE, "script": SCRIPT, "state": status.state, "icon": ICONS[status.state],
        "where": e(" · ".join(part for part in (ENVIRONMENT, REGION) if part)), "kind": kind, "meaning": e(meaning), "trouble": trouble,
        "since": moment(status.since), "check": rows(check), "strip": strip, "task": rows(task), "interval": INTERVAL,
        "features": '<section><h2>Security features, as configured</h2><ul class="features">%s</ul></section>' % features if features else "",
    }


def write(name, text):
    """Replace a page as a whole: a reader sees the old one or the new one."""
    with open(name + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(name + ".new", name)


def publish(status):
    write("index.html", page(status))
    write("status.json", json.dumps(status.document(), indent=2) + "\n")
    Handler.healthy = status.state == "healthy"


def source(text):
    return "'sha256-%s'" % base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    """GET and HEAD of three paths. Nothing of a request is ever echoed."""

    protocol_version = "HTTP/1.1"
    timeout = CONNECTION_TIMEOUT
    # /status.json answers 200 when the bucket could be listed and 503 else, for a load balancer that is to look at that.
    healthy = False
    PAGES = {"/": ("index.html", "text/html; charset=utf-8"), "/status.json": ("status.json", "application/json")}
    HEADERS = {
        "Content-Security-Policy": "default-src 'none'; style-src %s; script-src %s; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" % (source(STYLE), source(SCRIPT)),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Connection": "close",
    }

    def reply(self, status, body, kind="text/plain; charset=utf-8", **headers):
        self.close_connection = True
        # A request line without a version would otherwise be answered without a status line.
        self.request_version = self.protocol_version
        self.send_response_only(status)
        for name, value in {"Date": self.date_time_string(), **self.HEADERS, "Content-Type": kind, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/health":
            self.reply(200, b"OK")
        elif path in self.PAGES:
            name, kind = self.PAGES[path]
            with open(name, "rb") as file:
                self.reply(200 if self.healthy or path == "/" else 503, file.read(), kind)
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def refuse(self):
        self.reply(405, b"Method not allowed\n", Allow="GET, HEAD")

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = refuse

    def send_error(self, code, message=None, explain=None):
        self.reply(code, (http.server.BaseHTTPRequestHandler.responses[code][0] + "\n").encode())

    def log_message(self, *args):
        """Requests are in the load balancer's access log."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address):
        self.connections = collections.OrderedDict()
        self.lock = threading.Lock()
        super().__init__(address, Handler)

    def process_request(self, request, client_address):
        with self.lock:
            if len(self.connections) >= MAX_CONNECTIONS:
                oldest, _ = self.connections.popitem(last=False)
                with contextlib.suppress(OSError):
                    oldest.shutdown(2)
            self.connections[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.lock:
            self.connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            log("request_error", error=type(error).__name__)


def main():
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    threading.stack_size(256 * 1024)
    status = Status()
    publish(status)
    try:
        server = Server(("0.0.0.0", PORT))
    except OSError as error:
        log("configuration_error", message="Port %d cannot be served: %s." % (PORT, error.strerror))
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
            "check", state=status.state, cause=check.cause, duration_ms=check.duration_ms, entries=check.entries,
            checks=status.checks, since=status.since, bucket=BUCKET, message=check.message,
        )
        while not stopping.wait(min(1, max(0, started + INTERVAL - time.monotonic()))):
            reap_orphans()
            if not serving.is_alive():
                log("stop", reason="the server ended")
                return 1
            if time.monotonic() >= started + INTERVAL:
                break
    log("stop", reason="signal", checks=status.checks)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        log("stop", reason="%s: %s" % (type(error).__name__, error.strerror))
        sys.exit(1)
PYTHON
