#![allow(unsafe_code)] // a waker made of a table, for its clones and drops can be seen in no other way
//! A waker that tells of its every move.

use core::task::{RawWaker, RawWakerVTable, Waker};
use std::rc::Rc;

/// What happens to a waker.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Clone,
    Wake,
    Drop,
}

type Witness = Rc<dyn Fn(Move)>;

/// A waker that calls `f` for each of its moves. It must not leave its thread, and the tests see to that.
pub(super) fn witnessed(f: impl Fn(Move) + 'static) -> Waker {
    let witness: Witness = Rc::new(f);
    raw(&witness)
}

fn raw(witness: &Witness) -> Waker {
    // SAFETY: the table below keeps the contract of `RawWaker`, on the one thread on which the waker is used.
    unsafe { Waker::from_raw(RawWaker::new(Rc::into_raw(Rc::new(witness.clone())).cast(), &VTABLE)) }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: (of all) the data is an `Rc<Witness>` turned raw, one count for each waker. It is kept alive by a
        // count of its own while the witness is called, which may drop the waker that calls it.
        let copy = unsafe { share(data) };
        copy(Move::Clone);
        RawWaker::new(Rc::into_raw(copy).cast(), &VTABLE)
    },
    |data| {
        // SAFETY: as above.
        let it = unsafe { Rc::from_raw(data.cast::<Witness>()) };
        it(Move::Wake);
    },
    |data| {
        // SAFETY: as above.
        let it = unsafe { share(data) };
        it(Move::Wake);
    },
    |data| {
        // SAFETY: as above.
        let it = unsafe { Rc::from_raw(data.cast::<Witness>()) };
        it(Move::Drop);
    },
);

/// # Safety
/// `data` is an `Rc<Witness>` turned raw, which stays.
unsafe fn share(data: *const ()) -> Rc<Witness> {
    // SAFETY: by the caller's word.
    unsafe {
        Rc::increment_strong_count(data.cast::<Witness>());
        Rc::from_raw(data.cast::<Witness>())
    }
}
