use super::admission::Ticket;
use super::{ApiError, State};
use crate::error::{Code, Error};
use actix_web::dev::Payload;
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A longer path names nothing a person would look for.
const MAX_PARAM: usize = 128;

/// A JSON body: bounded, UTF-8, without unknown fields, and with errors that name the field.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit =
            request.app_data::<Data<State>>().map_or(0, |state| state.rag.settings().server.max_json_bytes);
        let bytes = read(request, payload.take(), limit);
        Box::pin(async move { Ok(Self(parse(&bytes.await?)?)) })
    }
}

/// Until when this request's body has to be there: a client that dribbles it is not waited for.
pub(crate) fn due(request: &HttpRequest) -> Instant {
    let settings = request.app_data::<Data<State>>().map(|state| state.rag.settings().server.body_timeout_ms);
    Instant::now() + Duration::from_millis(settings.unwrap_or_default())
}

pub(crate) fn late() -> Error {
    Error::new(Code::RequestTimeout, "the body took too long to arrive")
}

/// Reads a body of at most `limit` bytes, and then takes the request's place if it needs one; a longer one is refused as
/// soon as that is known.
pub(crate) fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
) -> impl Future<Output = Result<Bytes, Error>> + use<> {
    let announced =
        request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let (due, ticket) = (due(request), Ticket::of(request));
    async move {
        let too_large =
            || Error::new(Code::PayloadTooLarge, format!("the body is larger than {limit} bytes"));
        if announced.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        loop {
            let piece = tokio::time::timeout_at(due.into(), payload.next()).await.map_err(|_| late())?;
            let Some(piece) = piece else { break };
            let piece = piece
                .map_err(|_| Error::new(Code::InvalidRequest, "the body could not be read to its end"))?;
            if body.len() + piece.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        ticket.body_is_read()?;
        Ok(body.freeze())
    }
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Error::new(
            Code::InvalidRequest,
            format!("the body is not valid UTF-8 (byte {})", error.valid_up_to()),
        )
    })?;
    // A structure could be read from its fields in their order, which nobody means.
    if text.trim_start().starts_with('[') {
        return Err(Error::new(Code::InvalidRequest, "the body is a JSON object, not a list"));
    }
    // To know where one is costs with every number of a vector: told only where something is wrong.
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut *deserializer).map_err(mistake)?;
    deserializer
        .end()
        .map_err(|error| Error::new(Code::InvalidRequest, format!("malformed JSON: {error}")))?;
    Ok(value)
}

/// An object inside a body: no list of its fields either.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// A vector, with room for a usual one from the start: growing costs as much as reading it.
pub(crate) fn vector<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<f32>>, D::Error> {
    /// Dimensions that most models do not exceed.
    const USUAL: usize = 1024;

    struct Numbers(Vec<f32>);

    impl<'de> Visitor<'de> for Numbers {
        type Value = Self;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of numbers")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut numbers: A) -> Result<Self, A::Error> {
            self.0.reserve(USUAL);
            while let Some(number) = numbers.next_element()? {
                self.0.push(number);
            }
            Ok(self)
        }
    }

    impl<'de> Deserialize<'de> for Numbers {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_seq(Self(Vec::new()))
        }
    }

    Ok(Option::<Numbers>::deserialize(deserializer)?.map(|numbers| numbers.0))
}

/// A value that was parsed already, under the same rules.
pub(crate) fn read_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(mistake)
}

/// What is wrong with JSON, and where.
fn mistake(error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let inner = error.into_inner();
    let message = inner.to_string();
    if let Some(field) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        return Error::new(Code::UnknownField, message.clone()).about(field.to_owned());
    }
    let kind = if inner.is_data() { "" } else { "malformed JSON: " };
    let error = Error::new(Code::InvalidRequest, format!("{kind}{message}"));
    if path == "." || path.len() > MAX_PARAM { error } else { error.about(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by the deserializer only")]
    struct Sample {
        top_k: u16,
    }

    #[test]
    fn each_mistake_in_a_body_is_named() {
        for (body, code, param) in [
            (&b"{\"top_k\":1,\"topk\":2}"[..], Code::UnknownField, Some("topk")),
            (b"{\"top_k\":\"x\"}", Code::InvalidRequest, Some("top_k")),
            (b"{\"top_k\":NaN}", Code::InvalidRequest, Some("top_k")),
            (b"{\"top_k\":1", Code::InvalidRequest, None),
            (b"{\"top_k\":1} x", Code::InvalidRequest, None),
            (b"{\"top_k\":\xff}", Code::InvalidRequest, None),
            (b" [1]", Code::InvalidRequest, None),
        ] {
            let error = parse::<Sample>(body).expect_err("refused");
            assert_eq!(error.code, code, "{error:?}");
            if param.is_some() {
                assert_eq!(error.param.as_deref(), param, "{error:?}");
            }
        }
    }
}
