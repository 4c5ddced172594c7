//! Sends every client back what it says, however many there are: `cargo run --example echo -- 127.0.0.1:7777`.
//!
//! Shows: a listener, a task for each connection, and that an error of one client ends that client's task alone.

use std::io;

use corio_mio::{TcpListener, TcpStream};
use embedded_io_async::{Read, Write};

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}

async fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        corio::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        })
        .detach();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:7777".into());
    Ok(corio_mio::run(serve(&address))??)
}
