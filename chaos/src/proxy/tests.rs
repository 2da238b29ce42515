use super::{Fault, Proxy, Upstream};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// Sends back what it reads, on every connection.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut &stream);
            });
        }
    });
    address
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn say(stream: &mut TcpStream, words: &[u8]) -> std::io::Result<Duration> {
    let began = Instant::now();
    stream.write_all(words)?;
    let mut heard = vec![0; words.len()];
    stream.read_exact(&mut heard)?;
    assert_eq!(heard, words);
    Ok(began.elapsed())
}

fn kind(result: std::io::Result<Duration>) -> ErrorKind {
    result.expect_err("the connection is broken").kind()
}

#[test]
fn without_a_fault_bytes_pass_both_ways_unchanged() {
    let proxy = Proxy::tcp(echo());
    let mut stream = connect(&proxy);
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let mut writer = stream.try_clone().unwrap();
    let sent = bytes.clone();
    let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
    let mut heard = vec![0; bytes.len()];
    stream.read_exact(&mut heard).unwrap();
    writing.join().unwrap();
    assert_eq!(heard, bytes);
    assert_eq!((proxy.accepted(), proxy.open(), proxy.turned_away()), (1, 1, 0));
}

#[test]
fn latency_delays_answers_and_ends_with_the_fault() {
    let proxy = Proxy::tcp(echo());
    let mut stream = connect(&proxy);
    assert!(say(&mut stream, b"quick").unwrap() < Duration::from_millis(150));
    proxy.set(Fault::Latency { delay: Duration::from_millis(200), jitter: Duration::from_millis(50) });
    let took = say(&mut stream, b"slow").unwrap();
    assert!(took >= Duration::from_millis(200), "{took:?}");
    proxy.set(Fault::Latency { delay: Duration::from_secs(600), jitter: Duration::ZERO });
    stream.write_all(b"late").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    proxy.heal();
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"late", "what waited comes when the fault ends");
}

#[test]
fn a_cut_closes_what_is_open_and_refuses_what_is_new_until_it_heals() {
    let proxy = Proxy::tcp(echo());
    let mut stream = connect(&proxy);
    say(&mut stream, b"hello").unwrap();
    proxy.set(Fault::Cut);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed");
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(proxy.address()).is_ok() {
        assert!(Instant::now() < deadline, "it still listens");
    }
    proxy.heal();
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(proxy.address()).is_err() {
        assert!(Instant::now() < deadline, "it never listens again");
    }
    say(&mut connect(&proxy), b"again").unwrap();
}

#[test]
fn a_reset_is_a_reset_and_not_an_end() {
    let proxy = Proxy::tcp(echo());
    let mut open = connect(&proxy);
    say(&mut open, b"hello").unwrap();
    proxy.set(Fault::Reset);
    assert_eq!(open.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut new = connect(&proxy);
    assert_eq!(new.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn half_open_connections_swallow_everything_and_are_reset_when_the_fault_ends() {
    let proxy = Proxy::tcp(echo());
    let mut open = connect(&proxy);
    say(&mut open, b"hello").unwrap();
    proxy.set(Fault::HalfOpen);
    std::thread::sleep(Duration::from_millis(50));
    for stream in [&mut open, &mut connect(&proxy)] {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(matches!(kind(say(stream, b"lost")), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    }
    proxy.heal();
    open.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(open.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    say(&mut connect(&proxy), b"well").unwrap();
}

#[test]
fn a_drip_and_a_narrow_link_keep_their_pace() {
    let proxy = Proxy::tcp(echo());
    let mut stream = connect(&proxy);
    proxy.set(Fault::Drip { bytes_per_second: 100 });
    let took = say(&mut stream, &[7; 40]).unwrap();
    assert!(took >= Duration::from_millis(350), "{took:?}");
    proxy.set(Fault::Bandwidth { bytes_per_second: 100_000 });
    let took = say(&mut stream, &[7; 40_000]).unwrap();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    proxy.heal();
    assert!(say(&mut stream, &[7; 40_000]).unwrap() < Duration::from_millis(300));
}

#[test]
fn a_connection_is_cut_after_so_many_bytes() {
    let proxy = Proxy::tcp(echo());
    proxy.set(Fault::CutAfter { bytes: 10 });
    let mut stream = connect(&proxy);
    stream.write_all(b"twelve bytes").unwrap();
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    assert_eq!(heard, b"twelve byt");
}

#[test]
fn an_upstream_may_be_a_unix_socket() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("echo");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let stream: UnixStream = stream;
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut &stream);
            });
        }
    });
    let proxy = Proxy::start(Upstream::Unix(path));
    say(&mut connect(&proxy), b"over a file").unwrap();
}

#[test]
fn a_dropped_proxy_closes_its_connections() {
    let proxy = Proxy::tcp(echo());
    let mut stream = connect(&proxy);
    say(&mut stream, b"hello").unwrap();
    drop(proxy);
    assert!(!matches!(stream.read(&mut [0]), Ok(1..)));
}
