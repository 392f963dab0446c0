//! The server of benches/server for Tokio: a task a connection, httparse, one write for all that is complete.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::signal::unix::{signal, SignalKind};
use tokio::time::timeout;

const BUFFER: usize = 1024;
const HEADERS: usize = 64;
const HEAD_LIMIT: usize = 8 << 10;
const BODY_LIMIT: usize = 64 << 10;
const BACKLOG: u32 = 16384;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";

static SERVED: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
static TURNED_AWAY: AtomicU64 = AtomicU64::new(0);
static OPEN: AtomicU64 = AtomicU64::new(0);

struct Given {
    port: u16,
    loops: usize,
    limit: u64,
    timeout: Duration,
}

fn parse() -> Given {
    let mut given = Given { port: 0, loops: 1, limit: 20000, timeout: Duration::from_secs(30) };
    let words: Vec<String> = std::env::args().skip(1).collect();
    for pair in words.chunks(2) {
        let number = pair.get(1).and_then(|word| word.parse::<u64>().ok());
        match (pair[0].as_str(), number) {
            ("--port", Some(n)) => given.port = n as u16,
            ("--loops", Some(n)) => given.loops = n as usize,
            ("--limit", Some(n)) => given.limit = n,
            ("--timeout", Some(n)) => given.timeout = Duration::from_secs(n),
            (name, _) => {
                eprintln!("server: '{name}': use --port N --loops N --limit N --timeout SECONDS");
                std::process::exit(2);
            }
        }
    }
    given
}

enum Next {
    /// Bytes of its head, of its body, and whether it is the last.
    Request(usize, usize, bool),
    Partial,
    Refuse(&'static str),
}

fn next(data: &[u8]) -> Next {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(data) {
        Ok(httparse::Status::Complete(head)) if head <= HEAD_LIMIT => head,
        Ok(httparse::Status::Partial) if data.len() <= HEAD_LIMIT => return Next::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Next::Refuse("431 Request Header Fields Too Large"),
        Err(_) => return Next::Refuse("400 Bad Request"),
    };
    let (mut body, mut last) = (0, request.version == Some(0));
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            match std::str::from_utf8(header.value).ok().and_then(|text| text.parse::<usize>().ok()) {
                Some(length) => body = length,
                None => return Next::Refuse("400 Bad Request"),
            }
        } else if header.name.eq_ignore_ascii_case("connection") {
            last = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    if body > BODY_LIMIT { Next::Refuse("413 Payload Too Large") } else { Next::Request(head, body, last) }
}

/// Reads, answers all that is complete with one write; ends by itself, or when the client is silent for too long.
async fn connection(mut socket: TcpStream, limit: Duration) -> std::io::Result<()> {
    let (mut data, mut last, mut missing) = (Vec::with_capacity(BUFFER), false, 0);
    let mut answers = Vec::new();
    while !last {
        match timeout(limit, socket.read_buf(&mut data)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return Ok(()),
        }
        let (mut used, mut complete, mut refusal) = (0, 0, None);
        while !last {
            let here = missing.min(data.len() - used);
            (used, missing) = (used + here, missing - here);
            if missing > 0 {
                break;
            }
            match next(&data[used..]) {
                Next::Partial => break,
                Next::Refuse(status) => {
                    refusal = Some(status);
                    break;
                }
                Next::Request(head, body, is_last) => {
                    let here = body.min(data.len() - used - head);
                    used += head + here;
                    missing = body - here;
                    last = is_last;
                    complete += 1;
                    if missing > 0 {
                        break; // answered at once: what it says is not needed
                    }
                }
            }
        }
        data.drain(..used);
        answers.clear();
        (0..complete).for_each(|_| answers.extend_from_slice(ANSWER));
        SERVED.fetch_add(complete, Relaxed);
        if let Some(status) = refusal {
            REFUSED.fetch_add(1, Relaxed);
            answers.extend_from_slice(format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                .as_bytes());
            last = true;
        }
        if !answers.is_empty() {
            timeout(limit, socket.write_all(&answers)).await??;
        }
    }
    Ok(())
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn print_counts() {
    const PROCESS_CPUTIME: i32 = 2;
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: it writes the one that it gets.
    unsafe { clock_gettime(PROCESS_CPUTIME, &mut time) };
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    println!("{{\"served\": {}, \"refused\": {}, \"connections\": {}, \"turned_away\": {}, \"open\": {}, \
              \"cpu_ns\": {}, \"parser\": \"httparse\"}}", count(&SERVED), count(&REFUSED), count(&CONNECTIONS),
             count(&TURNED_AWAY), count(&OPEN), time.seconds * 1_000_000_000 + time.nanoseconds);
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    socket.listen(BACKLOG)
}

async fn serve(given: Given) -> std::io::Result<()> {
    let (mut ask, mut end) = (signal(SignalKind::user_defined1())?, signal(SignalKind::terminate())?);
    let listener = listen(given.port)?;
    println!("listening {}", listener.local_addr()?.port());
    tokio::spawn(async move {
        while ask.recv().await.is_some() {
            print_counts();
        }
    });
    tokio::spawn(async move {
        end.recv().await;
        print_counts();
        std::process::exit(0);
    });
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await; // until some connection ends
            continue;
        };
        if OPEN.fetch_add(1, Relaxed) >= given.limit {
            OPEN.fetch_sub(1, Relaxed);
            TURNED_AWAY.fetch_add(1, Relaxed);
            continue;
        }
        CONNECTIONS.fetch_add(1, Relaxed);
        let _ = socket.set_nodelay(true);
        let limit = given.timeout;
        tokio::spawn(async move {
            let _ = connection(socket, limit).await;
            OPEN.fetch_sub(1, Relaxed);
        });
    }
}

fn main() {
    let given = parse();
    let mut builder = if given.loops == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = builder.worker_threads(given.loops).enable_all().build();
    if let Err(error) = runtime.and_then(|runtime| runtime.block_on(serve(given))) {
        eprintln!("server: {error}");
        std::process::exit(1);
    }
}
