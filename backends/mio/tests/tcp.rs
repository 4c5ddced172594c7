//! Listener and stream as a program sees them, on loopback.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use corio::{spawn, timeout, yield_now};
use corio_mio::{TcpListener, TcpStream};
use embedded_io_async::{Read, ReadExactError, ReadReady, Write};

const LONG: Duration = Duration::from_secs(3600);

/// Runs a test that may use `?`.
fn run(test: impl Future<Output = io::Result<()>>) {
    corio_mio::run(test).unwrap().unwrap();
}

/// Two ends of a connection: who connected, who accepted.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, peer) = listener.accept().await?;
    assert_eq!((server.peer_addr()?, client.local_addr()?), (peer, peer));
    Ok((client, server))
}

/// Polls once: what it gives now, if anything.
async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Turns enough for the loop to have looked at its events.
async fn settle() {
    for _ in 0..200 {
        yield_now().await;
    }
}

async fn read_exact(stream: &mut impl Read<Error = io::Error>, n: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; n];
    match stream.read_exact(&mut bytes).await {
        Ok(()) => Ok(bytes),
        Err(ReadExactError::UnexpectedEof) => Err(ErrorKind::UnexpectedEof.into()),
        Err(ReadExactError::Other(error)) => Err(error),
    }
}

async fn read_to_end(stream: &mut impl Read<Error = io::Error>) -> io::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(all),
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

#[test]
fn bytes_come_back_in_order() {
    run(async {
        let (mut client, server) = pair().await?;
        let echo = spawn(echo(server));
        for round in 0..200_u32 {
            let message = vec![round as u8; 1 + round as usize * 13];
            client.write_all(&message).await?;
            assert_eq!(read_exact(&mut client, message.len()).await?, message);
        }
        drop(client);
        echo.await.unwrap()
    });
}

#[test]
fn what_was_sent_before_the_end_is_read_and_then_the_end_for_ever() {
    run(async {
        let (mut client, mut server) = pair().await?;
        client.write_all(b"last words").await?;
        drop(client);
        assert_eq!(read_to_end(&mut server).await?, b"last words");
        for _ in 0..3 {
            assert_eq!(server.read(&mut [0; 8]).await?, 0);
        }
        Ok(())
    });
}

#[test]
fn a_reader_that_waits_is_told_of_the_end() {
    run(async {
        let (client, mut server) = pair().await?;
        let reader = spawn(async move { server.read(&mut [0; 8]).await });
        yield_now().await;
        assert!(!reader.is_done());
        drop(client);
        assert_eq!(reader.await.unwrap()?, 0);
        Ok(())
    });
}

#[test]
fn the_end_that_comes_with_the_data_is_seen_after_a_short_read() {
    run(async {
        let (mut client, mut server) = pair().await?;
        client.write_all(b"bye").await?;
        client.shutdown(Shutdown::Write)?;
        // Let the loop see both at once before anything is read.
        assert_eq!(poll_once(server.read(&mut [])).await.unwrap()?, 0);
        settle().await;
        assert_eq!(server.read(&mut [0; 64]).await?, 3);
        assert_eq!(server.read(&mut [0; 64]).await?, 0);
        Ok(())
    });
}

#[test]
fn half_a_message_and_the_end_is_an_error_of_the_reader_alone() {
    run(async {
        let (mut client, mut server) = pair().await?;
        client.write_all(b"half").await?;
        client.shutdown(Shutdown::Write)?;
        assert_eq!(read_exact(&mut server, 8).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        server.write_all(b"still here").await?;
        drop(server);
        assert_eq!(read_to_end(&mut client).await?, b"still here");
        Ok(())
    });
}

#[test]
fn writing_to_a_peer_that_broke_off_is_an_error_and_no_signal() {
    run(async {
        let (mut client, mut server) = pair().await?;
        client.write_all(b"never read").await?;
        assert!(server.read(&mut [0; 1]).await? == 1);
        drop(server); // with bytes unread: RST
        let mut errors = Vec::new();
        for _ in 0..1000 {
            match client.write(b"anybody there?").await {
                Ok(_) => yield_now().await,
                Err(error) => errors.push(error.kind()),
            }
            if errors.len() == 2 {
                break;
            }
        }
        assert_eq!(errors.len(), 2);
        for kind in errors {
            assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind:?}");
        }
        Ok(())
    });
}

#[test]
fn a_reader_and_a_writer_that_wait_are_told_of_a_reset() {
    run(async {
        let (client, mut server) = pair().await?;
        let (mut read, mut write) = client.into_split();
        let reader = spawn(async move { read_to_end(&mut read).await.map(drop) });
        let writer = spawn(async move {
            let chunk = vec![7; 1 << 16];
            loop {
                write.write_all(&chunk).await?;
            }
            #[allow(unreachable_code)]
            Ok::<_, io::Error>(())
        });
        assert!(server.read(&mut [0; 1]).await? == 1);
        settle().await;
        assert!(!reader.is_done() && !writer.is_done());
        drop(server);
        let (reader, writer) = (reader.await.unwrap(), writer.await.unwrap());
        // Whoever asks first hears of the reset; the other finds the connection gone.
        assert!(reader.is_err() || writer.is_err());
        assert!(writer.is_err());
        Ok(())
    });
}

#[test]
fn connecting_to_nobody_is_refused() {
    run(async {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        assert_eq!(TcpStream::connect(address).await.err().unwrap().kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn of_several_addresses_the_first_that_answers_is_taken() {
    run(async {
        let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let somebody = listener.local_addr()?;
        let client = TcpStream::connect(&[nobody, somebody][..]).await?;
        assert_eq!(client.peer_addr()?, somebody);
        assert_eq!(TcpStream::connect(&[][..]).await.err().unwrap().kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn a_port_in_use_is_an_error_and_free_again_once_the_listener_is_dropped() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        assert_eq!(TcpListener::bind(address).err().unwrap().kind(), ErrorKind::AddrInUse);
        // Also with a connection of the old listener still around.
        let client = TcpStream::connect(address).await?;
        let (server, _) = listener.accept().await?;
        drop((listener, server));
        TcpListener::bind(address)?;
        drop(client);
        Ok(())
    });
}

#[test]
#[cfg(target_os = "linux")]
fn accepting_ends_with_an_error_when_the_listener_is_shut_down() {
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        // A stream has the shutdown that a listener lacks; it is the same socket.
        let same: std::net::TcpStream = std::os::fd::OwnedFd::from(listener.try_clone()?).into();
        let listener = TcpListener::from_std(listener)?;
        let accepting = spawn(async move { listener.accept().await.map(drop) });
        yield_now().await;
        assert!(!accepting.is_done());
        same.shutdown(Shutdown::Both)?;
        assert_eq!(accepting.await.unwrap().unwrap_err().kind(), ErrorKind::InvalidInput);
        Ok(())
    });
}

#[test]
fn two_tasks_accept_from_one_listener() {
    run(async {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
        let accept = |listener: &Rc<TcpListener>| {
            let listener = listener.clone();
            spawn(async move { listener.accept().await.map(|(stream, _)| stream.peer_addr()) })
        };
        let (first, second) = (accept(&listener), accept(&listener));
        yield_now().await;
        let one = TcpStream::connect(listener.local_addr()?).await?;
        assert_eq!(first.await.unwrap()??, one.local_addr()?);
        assert!(!second.is_done());
        let two = TcpStream::connect(listener.local_addr()?).await?;
        assert_eq!(second.await.unwrap()??, two.local_addr()?);
        Ok(())
    });
}

#[test]
fn an_accept_that_was_given_up_loses_no_connection() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        assert!(poll_once(listener.accept()).await.is_none());
        let client = TcpStream::connect(listener.local_addr()?).await?;
        yield_now().await;
        let (_, peer) = timeout(LONG, listener.accept()).await.unwrap()?;
        assert_eq!(peer, client.local_addr()?);
        Ok(())
    });
}

#[test]
fn a_connection_that_was_reset_in_the_backlog_takes_nothing_down() {
    run(async {
        let listener = TcpListener::bind_with_backlog("127.0.0.1:0", 8)?;
        for _ in 0..3 {
            drop(TcpStream::connect(listener.local_addr()?).await?);
        }
        let client = TcpStream::connect(listener.local_addr()?).await?;
        loop {
            let (_, peer) = listener.accept().await?;
            if peer == client.local_addr()? {
                return Ok(());
            }
        }
    });
}

#[test]
fn a_read_that_was_given_up_loses_no_bytes() {
    run(async {
        let (mut client, mut server) = pair().await?;
        for _ in 0..3 {
            assert!(poll_once(server.read(&mut [0; 64])).await.is_none());
        }
        client.write_all(b"all of it").await?;
        assert_eq!(read_exact(&mut server, 9).await?, b"all of it");
        assert!(timeout(Duration::from_micros(1), server.read(&mut [0; 64])).await.is_err());
        client.write_all(b"and more").await?;
        assert_eq!(read_exact(&mut server, 8).await?, b"and more");
        Ok(())
    });
}

#[test]
fn a_cancelled_reader_closes_its_connection() {
    run(async {
        let (mut client, server) = pair().await?;
        let task = spawn(echo(server));
        client.write_all(b"x").await?;
        assert_eq!(read_exact(&mut client, 1).await?, b"x");
        drop(task);
        assert_eq!(client.read(&mut [0; 8]).await?, 0);
        Ok(())
    });
}

#[test]
fn tasks_left_over_when_main_ends_close_their_connections() {
    let probe = Rc::new(Cell::new(None));
    run(async {
        let (client, server) = pair().await?;
        spawn(echo(server)).detach();
        yield_now().await;
        probe.set(Some(client));
        Ok(())
    });
    drop(probe); // a stream may outlive its loop
}

#[test]
fn halves_serve_two_futures_of_one_task() {
    run(async {
        let (mut client, server) = pair().await?;
        let echo = spawn(echo(server));
        let message = vec![5; 3 << 20]; // more than the buffers hold: reading must go on while writing waits
        {
            let (mut read, mut write) = client.split();
            let mut reading = pin!(read_exact(&mut read, message.len()));
            let mut writing = pin!(write.write_all(&message));
            let mut written = false;
            let reply = poll_fn(|context| {
                if !written {
                    written = writing.as_mut().poll(context).is_ready();
                }
                reading.as_mut().poll(context)
            })
            .await?;
            assert!(written && reply == message);
        }
        drop(client);
        echo.await.unwrap()
    });
}

#[test]
fn owned_halves_serve_two_tasks_and_the_dropped_writer_says_so() {
    run(async {
        let (client, server) = pair().await?;
        let echo = spawn(echo(server));
        let (mut read, mut write) = client.into_split();
        let writer = spawn(async move {
            for n in 0..300_u32 {
                write.write_all(&[n as u8; 1000]).await?;
            }
            Ok::<_, io::Error>(()) // drops `write`: the echo reads the end, and ends
        });
        let all = spawn(async move { read_to_end(&mut read).await }).await.unwrap()?;
        writer.await.unwrap()?;
        echo.await.unwrap()?;
        assert_eq!(all.len(), 300_000);
        assert!(all.chunks(1000).enumerate().all(|(n, chunk)| chunk == [n as u8; 1000]));
        Ok(())
    });
}

#[test]
fn a_connection_closes_when_both_halves_are_gone() {
    run(async {
        let (client, mut server) = pair().await?;
        let (read, write) = client.into_split();
        drop(read);
        assert!(poll_once(server.read(&mut [0; 8])).await.is_none());
        drop(write);
        assert_eq!(server.read(&mut [0; 8]).await?, 0);
        Ok(())
    });
}

#[test]
fn a_slow_reader_holds_its_writer_back() {
    run(async {
        let (mut client, mut server) = pair().await?;
        let chunk: Vec<u8> = (0..1 << 16).map(|n| (n % 251) as u8).collect();
        let mut sent = 0;
        let mut rests = 0;
        // A writer is made to rest now and then; one that finds no room is not ready however often it is asked.
        while rests < 50 {
            match poll_once(client.write(&chunk[sent % 251..])).await {
                Some(n) => (sent, rests) = (sent + n?, 0),
                None => rests += 1,
            }
            yield_now().await;
            assert!(sent < 64 << 20, "nothing holds the writer back");
        }
        let writer = spawn(async move {
            for _ in 0..64 {
                client.write_all(&chunk[sent % 251..][..1000]).await?;
                sent += 1000;
            }
            Ok::<_, io::Error>(sent)
        });
        yield_now().await;
        assert!(!writer.is_done());
        let all = read_to_end(&mut server).await?;
        assert_eq!(writer.await.unwrap()?, all.len());
        assert!(all.iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8));
        Ok(())
    });
}

#[test]
fn a_peer_that_never_stops_does_not_own_the_loop() {
    run(async {
        let (mut client, mut server) = pair().await?;
        let flood = vec![1; 1 << 16];
        while poll_once(client.write(&flood)).await.is_some() {}
        // A task that reads byte by byte always finds one: without a rest it would not end before the other task runs.
        let read = Rc::new(Cell::new(0));
        let reader = {
            let read = read.clone();
            spawn(async move {
                while server.read(&mut [0]).await? == 1 {
                    read.set(read.get() + 1);
                }
                Ok::<_, io::Error>(())
            })
        };
        for turn in 1..100 {
            yield_now().await;
            assert!(read.get() <= 64 * turn, "{} bytes in {turn} turns", read.get());
        }
        assert!(read.get() > 64);
        drop(reader);
        Ok(())
    });
}

#[test]
fn empty_buffers_ask_nothing_of_the_peer() {
    run(async {
        let (mut client, mut server) = pair().await?;
        assert_eq!(poll_once(server.read(&mut [])).await.unwrap()?, 0);
        assert_eq!(poll_once(client.write(&[])).await.unwrap()?, 0);
        Ok(())
    });
}

#[test]
fn read_ready_tells_whether_a_read_would_wait() {
    run(async {
        let (mut client, mut server) = pair().await?;
        assert!(!server.read_ready()?);
        client.write_all(b"x").await?;
        assert!(server.read_ready()?);
        assert_eq!(server.read(&mut [0; 8]).await?, 1);
        assert!(!server.read_ready()?);
        drop(client);
        assert!(server.read_ready()?);
        assert_eq!(server.read(&mut [0; 8]).await?, 0);
        Ok(())
    });
}

#[test]
fn streams_of_the_standard_library_are_taken_over() {
    run(async {
        let listener = TcpListener::from_std(std::net::TcpListener::bind("127.0.0.1:0")?)?;
        let mut client = TcpStream::from_std(std::net::TcpStream::connect(listener.local_addr()?)?)?;
        client.set_nodelay(true)?;
        let (mut server, _) = listener.accept().await?;
        client.write_all(b"taken over").await?;
        assert_eq!(read_exact(&mut server, 10).await?, b"taken over");
        Ok(())
    });
}

#[test]
fn literal_addresses_of_both_families_work() {
    run(async {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = match TcpListener::bind(address) {
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => continue, // a machine without IPv6
                other => other?,
            };
            let client = TcpStream::connect(listener.local_addr()?.to_string()).await?;
            assert_eq!(listener.accept().await?.1, client.local_addr()?);
        }
        Ok(())
    });
}
