use super::client::{ClientError, ask, ask_with};
use super::request::{Handle, MAX_DOCUMENT, MAX_LINE, Reply, ReplyLine, Request, RequestLine, Target, VERSION};
use super::server::{Answer, ControlSocket, SocketError};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Says what it was asked.
struct Echo;

impl Answer for Echo {
    async fn answer(&self, request: Request, document: Zeroizing<Vec<u8>>) -> (Reply, Zeroizing<Vec<u8>>) {
        if let Request::SetDynamicPolicy { revision, octets } = request {
            return (Reply::DynamicPolicy { revision, octets }, document);
        }
        (Reply::done(format!("{request:?}")), Zeroizing::default())
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("policyagent-control-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `client` against a server of `Echo`.
fn with_server(name: &str, client: impl FnOnce(&Path)) {
    let scratch = Scratch::new(name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let socket = runtime.block_on(async { ControlSocket::open(&scratch.socket()) }).unwrap();
    runtime.spawn(async move { socket.serve(Arc::new(Echo)).await });
    client(&scratch.socket());
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// What the server answers to a line.
fn answer(stream: &mut BufReader<UnixStream>, line: &[u8]) -> Reply {
    stream.get_mut().write_all(line).unwrap();
    let mut reply = String::new();
    stream.read_line(&mut reply).unwrap();
    serde_json::from_str::<ReplyLine>(&reply).unwrap_or_else(|error| panic!("{error}: {reply:?}")).reply
}

fn connect(path: &Path) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    BufReader::new(stream)
}

#[test]
fn a_request_reaches_the_service_and_its_answer_comes_back() {
    with_server("request", |path| {
        let request = Request::Initiate { rule: "a\nb".into(), peer: Some("::1".parse().unwrap()), wait_seconds: 9 };
        let reply = ask(path, request.clone(), Duration::from_secs(10)).unwrap();
        assert_eq!(reply, Reply::done(format!("{request:?}")));
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    });
}

#[test]
fn a_connection_serves_many_lines_written_by_hand_and_survives_wrong_ones() {
    with_server("lines", |path| {
        let mut stream = connect(path);
        for (line, expected) in [
            (&b"{\"version\":1,\"command\":\"status\"}\n"[..], "Status"),
            (b"{\"version\":1,\"command\":\"terminate\",\"peer\":\"10.0.0.1\"}\n", "Terminate(Peer(10.0.0.1))"),
            (b"{\"version\":1,\"command\":\"rekey\",\"ike_sa\":\"1f\"}\n", "Rekey(IkeSa(Handle(31)))"),
            (b"{\"version\":2,\"command\":\"status\"}\n", "version 2 is not spoken, allowed: 1"),
            (b"{\"version\":1,\"command\":\"halt\"}\n", "unknown variant `halt`"),
            (b"hello\n", "the line is no request"),
            (b"\xff\xfe\n", "the line is no request"),
            (b"\n", "the line is no request"),
            (b"{\"version\":1,\"command\":\"rekey\",\"ike_sa\":\"xyz\"}\n", "allowed: up to 16 hexadecimal digits"),
        ] {
            let reply = answer(&mut stream, line);
            let (Reply::Done { message, .. } | Reply::Error { message }) = &reply else { panic!("{reply:?}") };
            assert!(message.contains(expected), "{} -> {message}", String::from_utf8_lossy(line));
        }
    });
}

#[test]
fn a_document_goes_and_comes_behind_its_line() {
    with_server("document", |path| {
        let patience = Duration::from_secs(10);
        for length in [0, 1, MAX_LINE, 1 << 20] {
            let document: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let request = Request::SetDynamicPolicy { revision: 7, octets: length };
            let (reply, back) = ask_with(path, request, &document, patience).unwrap();
            assert_eq!(reply, Reply::DynamicPolicy { revision: 7, octets: length });
            assert_eq!(*back, document);
        }
        let request = Request::SetDynamicPolicy { revision: 7, octets: MAX_DOCUMENT + 1 };
        let (reply, _) = ask_with(path, request, b"", patience).unwrap();
        assert_eq!(reply, Reply::error("the document has 16777217 octets, allowed: 16777216"));
        // What follows the document is a line again.
        let mut stream = connect(path);
        let lines = b"{\"version\":1,\"command\":\"set_dynamic_policy\",\"revision\":7,\"octets\":3}\na\nb{\"version\":1,\"command\":\"stop\"}\n";
        let first = answer(&mut stream, lines);
        let mut document = [0; 3];
        stream.read_exact(&mut document).unwrap();
        assert_eq!((first, &document), (Reply::DynamicPolicy { revision: 7, octets: 3 }, b"a\nb"));
        assert_eq!(answer(&mut stream, b""), Reply::done("Stop"));
    });
}

#[test]
fn two_lines_in_one_write_are_two_requests() {
    with_server("two", |path| {
        let mut stream = connect(path);
        let first =
            answer(&mut stream, b"{\"version\":1,\"command\":\"status\"}\n{\"version\":1,\"command\":\"stop\"}\n");
        let second = answer(&mut stream, b"");
        assert_eq!((first, second), (Reply::done("Status"), Reply::done("Stop")));
    });
}

#[test]
fn a_line_without_end_is_refused_and_not_kept() {
    with_server("long", |path| {
        let mut stream = connect(path);
        let reply = answer(&mut stream, &vec![b' '; MAX_LINE + 1]);
        assert_eq!(reply, Reply::error(format!("the line is longer than {MAX_LINE} octets")));
        let mut rest = String::new();
        // Closed, perhaps by a reset as not everything was read.
        assert!(matches!(stream.read_line(&mut rest), Ok(0) | Err(_)), "{rest}");
    });
}

#[test]
fn a_socket_that_a_crash_left_is_replaced_and_a_living_one_is_not() {
    let scratch = Scratch::new("stale");
    drop(UnixListener::bind(scratch.socket()).unwrap());
    assert!(matches!(
        ask(&scratch.socket(), Request::Status, Duration::from_secs(1)),
        Err(ClientError::NotRunning { .. })
    ));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = ControlSocket::open(&scratch.socket()).unwrap();
        assert!(matches!(ControlSocket::open(&scratch.socket()), Err(SocketError::InUse(_))));
        drop(socket);
        assert!(!scratch.socket().exists());
        std::fs::write(scratch.socket(), "").unwrap();
        assert!(matches!(ControlSocket::open(&scratch.socket()), Err(SocketError::NoSocket(_))));
    });
}

#[test]
fn who_asks_nobody_is_told_what_to_do() {
    let error = ask(Path::new("/nonexistent/control.sock"), Request::Stop, Duration::from_secs(1)).unwrap_err();
    assert!(error.to_string().contains("no policyagent is running") && error.to_string().contains("policyagent run"));
}

#[test]
fn a_service_that_does_not_answer_is_given_up() {
    let scratch = Scratch::new("silent");
    let _listener = UnixListener::bind(scratch.socket()).unwrap();
    let error = ask(&scratch.socket(), Request::Status, Duration::from_millis(100)).unwrap_err().to_string();
    assert!(error.contains("no answer within"), "{error}");
}

#[test]
fn handles_are_hexadecimal_digits() {
    assert_eq!("1f".parse(), Ok(Handle(31)));
    assert_eq!("0x1F".parse(), Ok(Handle(31)));
    for wrong in ["", "0x", "+1", "-1", "g", "11111111111111111"] {
        assert!(wrong.parse::<Handle>().is_err(), "{wrong}");
    }
    let line = RequestLine { version: VERSION, request: Request::Rekey(Target::IpsecSa(Handle(255))) };
    assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"version":1,"command":"rekey","ipsec_sa":"ff"}"#);
}

/// The keys of a value, those of what is in it too.
fn keys(value: &serde_json::Value, into: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => object.iter().for_each(|(key, value)| {
            into.insert(key.clone());
            keys(value, into);
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_status_is_documented() {
    let page = include_str!("../../../docs/running.md");
    let (_, section) = page.split_once("\n## The control socket\n").unwrap();
    let mut names = std::collections::BTreeSet::new();
    keys(&serde_json::to_value(super::example::example()).unwrap(), &mut names);
    let missing: Vec<&String> = names.iter().filter(|name| !section.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
