//! Clients of a TCP port, one after the other, on the serial line of an emulated microcontroller.
//!
//! A serial line has no connections, so that somebody left has to be said on it. The line of QEMU is a telnet server:
//! there 255 is written twice, and 255 243 is a *break*, which the firmware takes for a hang-up. Replies to the one who
//! left may still be under way when the next one comes; so after the break we ask for an echo of our own, and what comes
//! before it is still the old client's:
//!
//! ```text
//! client ──► SUBSCRIBE news ──► (hangs up)     break, ECHO corio-relay-7     │ next client
//! line   ◄── ... ◄────────────── ... ◄──────── $13 corio-relay-7             │
//! ```

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use crate::child::{Outcome, Trouble, failed};

const TELNET: u8 = 255;
const BREAK: [u8; 2] = [TELNET, 243];
/// What the firmware has to answer an echo, and a client to read its replies.
const PATIENCE: Duration = Duration::from_secs(20);

/// The line, on our side.
struct Line {
    to: TcpStream,
    session: Arc<Mutex<Session>>,
    echoed: Receiver<()>,
    echoes: u32,
}

/// What to do with what comes from the line.
#[derive(Default)]
struct Session {
    client: Option<TcpStream>,
    /// The answer that ends a session, while it is awaited.
    end: Option<Vec<u8>>,
    /// What may be the beginning of that answer.
    held: Vec<u8>,
}

/// Serves the clients of `listener` on `line` until one of the two is gone. Returns once the firmware has answered; the
/// serving goes on in threads.
pub(crate) fn relay(listener: TcpListener, line: TcpStream) -> Outcome {
    let (answered, echoed) = channel();
    let session = Arc::new(Mutex::new(Session::default()));
    let mut reading = line.try_clone()?;
    let mut line = Line { to: line, session: session.clone(), echoed, echoes: 0 };
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = reading.read(&mut chunk) {
            lock(&session).take(&chunk[..length], &answered);
        }
        lock(&session).hang_up();
    });
    // Before this answer there is telnet's greeting, and what the UART received before it was set up.
    line.synchronize(b"\r\n")?;
    thread::spawn(move || -> Outcome {
        for client in listener.incoming() {
            line.serve(client?)?;
        }
        Ok(())
    });
    Ok(())
}

impl Line {
    fn serve(&mut self, mut client: TcpStream) -> Outcome {
        client.set_nodelay(true)?;
        let writing = client.try_clone()?;
        writing.set_write_timeout(Some(PATIENCE))?;
        lock(&self.session).client = Some(writing);
        let mut chunk = [0; 4096];
        // A broken connection is an end as well.
        while let Ok(length @ 1..) = client.read(&mut chunk) {
            self.to.write_all(&escaped(&chunk[..length]))?;
        }
        self.synchronize(&BREAK)
    }

    /// Sends `mark`, and waits until the firmware has come back from it.
    fn synchronize(&mut self, mark: &[u8]) -> Outcome {
        self.echoes += 1;
        let token = format!("corio-relay-{}", self.echoes);
        lock(&self.session).end = Some(format!("${}\r\n{token}\r\n", token.len()).into_bytes());
        self.to.write_all(mark)?;
        self.to.write_all(format!("ECHO {token}\r\n").as_bytes())?;
        match self.echoed.recv_timeout(PATIENCE) {
            Ok(()) => Ok(()),
            Err(_) => {
                lock(&self.session).hang_up();
                failed(format!("the firmware did not answer within {PATIENCE:?}"))
            }
        }
    }
}

impl Session {
    /// Hands on what came from the line, up to the end of the session.
    fn take(&mut self, bytes: &[u8], answered: &Sender<()>) {
        self.held.extend_from_slice(bytes);
        let Some(end) = &self.end else { return self.hand_on(usize::MAX) };
        if let Some(at) = self.held.windows(end.len()).position(|window| window == end) {
            self.end = None;
            self.hand_on(at);
            self.hang_up();
            // Nobody to hear it has given up waiting.
            let _ = answered.send(());
        } else {
            self.hand_on((self.held.len() + 1).saturating_sub(end.len()));
        }
    }

    fn hand_on(&mut self, count: usize) {
        let count = count.min(self.held.len());
        let sent = self.client.as_mut().map(|client| client.write_all(&self.held[..count]));
        self.held.drain(..count);
        if matches!(sent, Some(Err(_))) {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        self.held.clear();
        if let Some(client) = self.client.take() {
            // It may be gone already.
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As telnet wants it.
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        escaped.push(byte);
        if byte == TELNET {
            escaped.push(byte);
        }
    }
    escaped
}

/// Connects to the emulator's line, which listens there soon.
pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let line = TcpStream::connect(("127.0.0.1", port))?;
    line.set_nodelay(true)?;
    Ok(line)
}

/// A port of our own machine to listen on, 0 for any.
pub(crate) fn listen(port: u16) -> Outcome<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; is a server running there already? Choose another port with --port",
            io::ErrorKind::PermissionDenied => "; ports below 1024 may need privileges",
            _ => "",
        };
        Trouble::Failed(format!("cannot listen on 127.0.0.1:{port}: {error}{hint}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    /// A firmware that answers ECHO, counts breaks, and repeats every other line; it greets as telnet does.
    fn firmware() -> (TcpStream, thread::JoinHandle<u32>) {
        let listener = listen(0).unwrap();
        let line = connect(listener.local_addr().unwrap().port()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        let served = thread::spawn(move || {
            other.write_all(&[TELNET, 251, 1]).unwrap();
            let mut reader = BufReader::new(other.try_clone().unwrap());
            let mut breaks = 0;
            let mut text = Vec::new();
            while reader.read_until(b'\n', &mut text).is_ok_and(|length| length > 0) {
                if let Some(rest) = text.strip_prefix(&BREAK) {
                    breaks += 1;
                    text = rest.to_vec();
                }
                let reply = match text.strip_prefix(b"ECHO ") {
                    Some(word) => [format!("${}\r\n", word.len() - 2).as_bytes(), word].concat(),
                    None if text == b"\r\n" => Vec::new(),
                    None => text.clone(),
                };
                // In two halves: what ends a session need not come at once.
                let (first, second) = reply.split_at(reply.len() / 2);
                other.write_all(first).unwrap();
                other.write_all(second).unwrap();
                text.clear();
            }
            breaks
        });
        (line, served)
    }

    #[test]
    fn each_client_gets_all_its_replies_and_nobody_elses() {
        let (line, firmware) = firmware();
        let end = line.try_clone().unwrap();
        let listener = listen(0).unwrap();
        let port = listener.local_addr().unwrap().port();
        relay(listener, line).unwrap();
        for n in 0..5 {
            let mut client = connect(port).unwrap();
            let said = format!("$corio {n}\r\n{}\r\n", "x".repeat(10_000));
            client.write_all(said.as_bytes()).unwrap();
            // Whoever has said everything may still listen.
            client.shutdown(Shutdown::Write).unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, said);
        }
        end.shutdown(Shutdown::Both).unwrap();
        assert_eq!(firmware.join().unwrap(), 5);
    }

    #[test]
    fn a_port_in_use_is_said_in_a_sentence() {
        let taken = listen(0).unwrap();
        let trouble = listen(taken.local_addr().unwrap().port()).unwrap_err().to_string();
        assert!(trouble.contains("is a server running there already?"), "{trouble}");
    }

    #[test]
    fn telnets_sign_is_written_twice() {
        assert_eq!(escaped(&[1, 255, 2]), [1, 255, 255, 2]);
    }
}
