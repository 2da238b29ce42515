//! Settings that may change while an actor runs, and what is made from them.
//!
//! A change costs no restart: whoever asks next gets something made from the new settings, and what is
//! under way goes on with the old until it is done.

use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Shared by a handle, which changes them, and every incarnation of its actor.
#[derive(Debug)]
pub(crate) struct Live<S>(Arc<ArcSwap<S>>);

impl<S> Clone for Live<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Live<S> {
    pub(crate) fn new(settings: S) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    pub(crate) fn get(&self) -> Arc<S> {
        self.0.load_full()
    }

    pub(crate) fn set(&self, settings: S) {
        self.0.store(Arc::new(settings));
    }
}

/// A client or a pool, always of the newest settings.
pub(crate) struct Made<S, C> {
    live: Live<S>,
    make: fn(&S) -> Result<C, String>,
    current: RefCell<(Arc<S>, Rc<C>)>,
}

impl<S, C> Made<S, C> {
    /// # Errors
    /// What is wrong with the settings.
    pub(crate) fn new(live: Live<S>, make: fn(&S) -> Result<C, String>) -> Result<Self, String> {
        let settings = live.get();
        let made = Rc::new(make(&settings)?);
        Ok(Self { live, make, current: RefCell::new((settings, made)) })
    }

    /// Of the old settings where nothing can be made of the new ones, though they were checked.
    pub(crate) fn get(&self) -> Rc<C> {
        let newest = self.live.get();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&current.0, &newest) {
            match (self.make)(&newest) {
                Ok(made) => *current = (newest, Rc::new(made)),
                Err(error) => tracing::error!(%error, "new settings cannot be used"),
            }
        }
        Rc::clone(&current.1)
    }
}
