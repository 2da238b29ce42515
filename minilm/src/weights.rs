//! Reading tensors out of `model.safetensors`, one at a time: the file never is in memory as a whole.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::LoadError;

/// The header of a model with a few hundred tensors takes some ten kilobytes.
const MAX_HEADER: u64 = 16 << 20;

pub(crate) struct Weights {
    path: PathBuf,
    file: File,
    tensors: HashMap<String, Tensor>,
    /// Where the header ends and the data starts.
    start: u64,
    length: u64,
    /// Some exports prefix every tensor with the name of the encoder.
    prefix: &'static str,
}

/// What the header says about a tensor.
#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The header: tensors, and optional remarks that are of no use here.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    _remarks: Option<serde::de::IgnoredAny>,
    #[serde(flatten)]
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let unreadable = || LoadError::unreadable(path);
        let invalid = |reason: &str| LoadError::invalid(path, reason);
        let mut file = File::open(path).map_err(unreadable())?;
        let length = file.metadata().map_err(unreadable())?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| invalid("shorter than its header"))?;
        let size = u64::from_le_bytes(size);
        if size > MAX_HEADER || size > length.saturating_sub(8) {
            return Err(invalid("shorter than its header, or not in the safetensors format"));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(unreadable())?;
        let Header { tensors, .. } =
            serde_json::from_slice(&header).map_err(|error| LoadError::invalid(path, error.to_string()))?;
        let prefix =
            if tensors.contains_key("bert.embeddings.word_embeddings.weight") { "bert." } else { "" };
        Ok(Self { path: path.to_owned(), file, tensors, start: size + 8, length, prefix })
    }

    /// The encoder's tensor `name`, which must hold 32-bit floats in exactly this shape.
    pub(crate) fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.read_head(&format!("{}{name}", self.prefix), shape)
    }

    /// A tensor of what is on top of the encoder, which never has the prefix.
    pub(crate) fn read_head(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let invalid = |reason: String| LoadError::Invalid { path: self.path.clone(), reason };
        let tensor = self.tensors.get(name).ok_or_else(|| invalid(format!("it has no tensor {name}")))?;
        if tensor.dtype != "F32" {
            let reason = format!("tensor {name} is {}, only F32 is read", tensor.dtype);
            return Err(LoadError::unsupported(&self.path, reason));
        }
        let ((from, to), count) = (tensor.data_offsets, shape.iter().product::<usize>());
        if tensor.shape != shape || to.checked_sub(from) != Some(4 * count as u64) {
            return Err(invalid(format!(
                "tensor {name} has shape {:?}, config.json promises {shape:?}",
                tensor.shape
            )));
        }
        if to > self.length - self.start {
            return Err(invalid(format!("it ends inside tensor {name}")));
        }
        let mut values = vec![0.0_f32; count];
        self.file
            .seek(SeekFrom::Start(self.start + from))
            .and_then(|_| self.file.read_exact(bytemuck::cast_slice_mut(&mut values)))
            .map_err(LoadError::unreadable(&self.path))?;
        if cfg!(target_endian = "big") {
            values.iter_mut().for_each(|value| *value = f32::from_bits(value.to_bits().swap_bytes()));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(invalid(format!("tensor {name} holds values that are not finite")));
        }
        Ok(values)
    }
}
