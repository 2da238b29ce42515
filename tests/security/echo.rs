//! A model server, or a receiver of webhooks, at its worst: it answers with everything it was sent, keys and texts
//! included. Told to, it passes on to one that is well.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What stands for no status: pass on.
const PASS_ON: u16 = 0;

pub(crate) struct Echo {
    port: u16,
    status: Arc<AtomicU16>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    /// Requests that were answered with themselves.
    echoed: Arc<Mutex<String>>,
}

impl Echo {
    pub(crate) fn before(model: &str) -> Self {
        let behind = model.trim_start_matches("http://").split('/').next().expect("an address").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let echo = Self { port, status: Arc::default(), open: Arc::default(), echoed: Arc::default() };
        let (status, open, echoed) =
            (Arc::clone(&echo.status), Arc::clone(&echo.open), Arc::clone(&echo.echoed));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                open.lock().expect("no panic").push(client.try_clone().expect("a socket"));
                let (behind, echoed) = (behind.clone(), Arc::clone(&echoed));
                match status.load(Ordering::SeqCst) {
                    PASS_ON => drop(thread::spawn(move || pass_on(&client, &behind))),
                    status => drop(thread::spawn(move || answer(&client, status, &echoed))),
                }
            }
        });
        echo
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// From now on, also on connections that are open.
    pub(crate) fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn pass_on(&self) {
        self.answer_with(PASS_ON);
    }

    pub(crate) fn echoed(&self) -> String {
        self.echoed.lock().expect("no panic").clone()
    }
}

fn pass_on(client: &TcpStream, behind: &str) -> Option<()> {
    let model = TcpStream::connect(behind).ok()?;
    let (mut from, mut to) = (model.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut &*client, &mut &model);
    model.shutdown(Shutdown::Both).ok()
}

fn answer(client: &TcpStream, status: u16, echoed: &Mutex<String>) -> Option<()> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
        if line.len() <= 2 {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let said = format!("{head}{}", String::from_utf8_lossy(&body));
    // In the status line and a header, too, where a client could be tempted to show it.
    let first =
        said.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization")).unwrap_or("none");
    let answer = format!(
        "HTTP/1.1 {status} {first}\r\nx-said: {first}\r\nlocation: http://127.0.0.1/{}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{said}",
        first.replace(' ', "+"),
        said.len()
    );
    echoed.lock().expect("no panic").push_str(&said);
    (&mut &*client).write_all(answer.as_bytes()).ok()
}
