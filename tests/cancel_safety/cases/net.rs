//! Sockets, on a real loop and the loopback interface: bytes and connections are with the system or with the caller.

use std::future::Future;
use std::io;

use corio::{Duration, join, spawn, timeout, yield_now};
use corio_mio::{TcpListener, TcpStream};
use corio_sim::{CancelEverywhere, Cut};
use embedded_io_async::{Read, Write};

/// Whoever waits so long waits for ever.
const LONG: Duration = Duration::from_secs(20);

fn cancel_everywhere(scenario: impl AsyncFn(&Cut) -> io::Result<()>) -> usize {
    CancelEverywhere::new().run_on(|main| corio_mio::run(main), async |cut| scenario(cut).await.unwrap())
}

async fn comes<F: Future>(future: F) -> F::Output {
    timeout(LONG, future).await.expect("what it waits for was lost")
}

/// Enough turns for those who wait to have begun to.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// Who connects, and who accepted.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

pub(crate) fn tcp_listener_accept() -> usize {
    cancel_everywhere(async |cut| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let client = spawn(async move {
            settle().await;
            TcpStream::connect(address).await
        });
        let accepted = match cut.apply(listener.accept()).await {
            Some(accepted) => accepted?,
            None => comes(listener.accept()).await?,
        };
        let client = comes(client).await.unwrap()?;
        assert_eq!(accepted.1, client.local_addr()?);
        Ok(())
    })
}

pub(crate) fn tcp_stream_connect() -> usize {
    cancel_everywhere(async |cut| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let client = match cut.apply(TcpStream::connect(address)).await {
            Some(client) => client?,
            None => comes(TcpStream::connect(address)).await?,
        };
        // The attempt that was given up may have been a connection by then, which nobody holds.
        while comes(listener.accept()).await?.1 != client.local_addr()? {}
        Ok(())
    })
}

pub(crate) fn tcp_stream_read() -> usize {
    cancel_everywhere(async |cut| {
        let (mut client, mut server) = pair().await?;
        let writer = spawn(async move {
            for byte in *b"read" {
                settle().await;
                client.write_all(&[byte]).await?;
            }
            io::Result::Ok(())
        });
        let mut got = Vec::new();
        let mut all = async || {
            let mut byte = [0];
            while server.read(&mut byte).await? == 1 {
                got.push(byte[0]);
            }
            io::Result::Ok(())
        };
        match cut.apply(all()).await {
            Some(read) => read?,
            None => comes(all()).await?,
        }
        comes(writer).await.unwrap()?;
        assert_eq!(got, b"read");
        Ok(())
    })
}

pub(crate) fn tcp_stream_write() -> usize {
    const CHUNKS: usize = 80;

    cancel_everywhere(async |cut| {
        let (mut client, mut server) = pair().await?;
        let (chunk, mut written) = (vec![7; 1 << 16], 0);
        let write = async {
            for _ in 0..CHUNKS {
                written += client.write(&chunk).await?;
            }
            drop(client);
            io::Result::Ok(())
        };
        let read = async {
            let (mut got, mut buffer) = (0, vec![0; 1 << 20]);
            loop {
                match server.read(&mut buffer).await? {
                    0 => return io::Result::Ok(got),
                    n => got += n,
                }
            }
        };
        let (wrote, got) = comes(join((cut.apply(write), read))).await;
        wrote.transpose()?;
        assert_eq!(written, got?);
        Ok(())
    })
}
