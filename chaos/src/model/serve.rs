//! From connections to replies, good or bad.

use super::http::Connection;
use super::{Asked, Behaviour, Endpoint, Reply, Shared, chat, embeddings, rerank};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

const CONNECTIONS: usize = 1024;
const JSON: &str = "application/json";

pub(super) async fn accept(listener: TcpListener, state: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut connection = Connection::new(stream);
            while let Some(asked) = connection.request().await {
                if !serve(&state, &mut connection, asked).await {
                    break;
                }
            }
            drop(place);
        });
    }
}

/// Whether the connection can go on.
async fn serve(state: &Shared, connection: &mut Connection, asked: Asked) -> bool {
    let path = asked.line.split(' ').nth(1).unwrap_or_default().to_owned();
    let endpoint = match path.trim_end_matches('/').rsplit('/').next() {
        Some("completions") => Endpoint::Chat,
        Some("embeddings" | "embed") => Endpoint::Embeddings,
        Some("rerank") => Endpoint::Rerank,
        _ => return connection.respond(404, JSON, "", b"{}").await.is_ok(),
    };
    let body = asked.body.clone();
    state.remember(endpoint, asked);
    let scripted = if endpoint == Endpoint::Chat { state.scripted() } else { None };
    let done = match scripted {
        Some(reply) => script(state, connection, &reply).await,
        None => behave(state, connection, endpoint, &body).await,
    };
    done.unwrap_or_else(|_| {
        state.lost();
        false
    })
}

async fn behave(
    state: &Shared,
    connection: &mut Connection,
    endpoint: Endpoint,
    body: &Value,
) -> io::Result<bool> {
    let mut behaviours = state.behaviours[endpoint as usize].subscribe();
    let behaviour = behaviours.borrow_and_update().clone();
    match behaviour {
        Behaviour::Healthy => good(state, connection, endpoint, body).await,
        Behaviour::Slow(by) => {
            if wait(state, connection, by).await {
                return good(state, connection, endpoint, body).await;
            }
            Ok(false)
        }
        Behaviour::Status(status) => refuse(connection, status).await,
        Behaviour::Garbage => {
            let garbage: Vec<u8> = (0..256).map(|_| fastrand::u8(b'!'..=b'~')).collect();
            connection.respond(200, JSON, "", &garbage).await?;
            Ok(true)
        }
        Behaviour::Half => half(connection, endpoint, body).await,
        Behaviour::Silent => {
            silence(state, connection, behaviours).await;
            Ok(false)
        }
    }
}

async fn good(
    state: &Shared,
    connection: &mut Connection,
    endpoint: Endpoint,
    body: &Value,
) -> io::Result<bool> {
    let pace = match endpoint {
        Endpoint::Chat => state.pace.chat,
        Endpoint::Embeddings => state.pace.embeddings,
        Endpoint::Rerank => state.pace.rerank,
    };
    if !wait(state, connection, pace).await {
        return Ok(false);
    }
    if endpoint == Endpoint::Chat && body["stream"] == true {
        connection.begin_stream().await?;
        for delta in chat::deltas(body) {
            connection.event(&chat::event(&delta)).await?;
        }
        finish(connection).await?;
    } else {
        let reply = whole(endpoint, body).to_string();
        connection.respond(200, JSON, "", reply.as_bytes()).await?;
    }
    Ok(true)
}

fn whole(endpoint: Endpoint, body: &Value) -> Value {
    match endpoint {
        Endpoint::Chat => chat::completion(body),
        Endpoint::Embeddings => embeddings::reply(body),
        Endpoint::Rerank => rerank::reply(body),
    }
}

async fn half(connection: &mut Connection, endpoint: Endpoint, body: &Value) -> io::Result<bool> {
    if endpoint == Endpoint::Chat && body["stream"] == true {
        connection.begin_stream().await?;
        let deltas = chat::deltas(body);
        for delta in &deltas[..deltas.len().div_ceil(2)] {
            connection.event(&chat::event(delta)).await?;
        }
    } else {
        connection.respond_half(JSON, whole(endpoint, body).to_string().as_bytes()).await?;
    }
    Ok(false)
}

async fn refuse(connection: &mut Connection, status: u16) -> io::Result<bool> {
    // What a careless API does: it repeats the key. Nobody may log it.
    let body = json!({"error": {"message": "sk-test-4f1c9d2e7b is not welcome here", "code": status}});
    let extra = if status == 429 { "retry-after: 1\r\n" } else { "" };
    connection.respond(status, JSON, extra, body.to_string().as_bytes()).await?;
    Ok(true)
}

async fn finish(connection: &mut Connection) -> io::Result<()> {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 120, "completion_tokens": 24}});
    connection.event(&usage.to_string()).await?;
    connection.event("[DONE]").await?;
    connection.end_stream().await
}

async fn script(state: &Shared, connection: &mut Connection, reply: &Reply) -> io::Result<bool> {
    let deltas = match reply {
        Reply::Status(status) => return refuse(connection, *status).await,
        Reply::Hang => {
            connection.gone().await;
            state.lost();
            return Ok(false);
        }
        Reply::Whole(deltas) | Reply::Cut(deltas) | Reply::Silence(deltas) => deltas,
    };
    connection.begin_stream().await?;
    for delta in deltas {
        connection.event(&chat::event(delta)).await?;
    }
    match reply {
        Reply::Whole(_) => {
            finish(connection).await?;
            return Ok(true);
        }
        Reply::Silence(_) => {
            connection.gone().await;
            state.lost();
        }
        Reply::Cut(_) | Reply::Hang | Reply::Status(_) => {}
    }
    Ok(false)
}

/// Whether the client is still there afterwards.
async fn wait(state: &Shared, connection: &mut Connection, pause: Duration) -> bool {
    if pause.is_zero() {
        return true;
    }
    tokio::select! {
        () = tokio::time::sleep(pause) => true,
        () = connection.gone() => {
            state.lost();
            false
        }
    }
}

async fn silence(state: &Shared, connection: &mut Connection, mut behaviours: watch::Receiver<Behaviour>) {
    tokio::select! {
        _ = behaviours.changed() => {}
        () = connection.gone() => state.lost(),
    }
}
