//! What each asynchronous operation promises to those who drop its future, or cancel a task in it: one list, in which each
//! has its class and a test. Each test cuts its operation off at every point at which it waits, and checks that what the
//! class promises holds.
//!
//! The list is compared with the source: an operation that is not in it fails `every_operation_is_in_the_list`, and one
//! whose documentation says something else fails `the_documentation_says_what_the_list_says`.

mod cases;
mod scan;

use std::collections::BTreeSet;
use std::path::Path;

use cases::{generators, locks, net, queues, scopes, tasks, time};

/// What dropping a future costs. The terms are explained in the documentation of the crate `corio`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    LosesNothing,
    MayBeRestarted,
    NotSafe,
}
use Class::{LosesNothing, MayBeRestarted, NotSafe};

impl Class {
    const ALL: [Self; 3] = [LosesNothing, MayBeRestarted, NotSafe];

    /// How the section "Cancel safety" begins.
    const fn term(self) -> &'static str {
        match self {
            LosesNothing => "**Loses nothing.**",
            MayBeRestarted => "**May be restarted.**",
            NotSafe => "**Not safe.**",
        }
    }
}

struct Operation {
    crate_: &'static str,
    path: &'static str,
    class: Class,
}

/// Types that are futures, and something before that: they are operations wherever they are returned.
const HANDLES: [&str; 3] = ["Child", "ScopedChild", "Task"];

/// Operations of a trait of others, which the scan does not look for: their documentation is not seen.
const OF_TRAITS: [&str; 2] = ["TcpStream::read", "TcpStream::write"];

/// The list, and a test for each. `never waits`: it has no point at which it could be cut off but the one before it begins.
macro_rules! operations {
    ($($crate_:literal { $($path:literal $class:ident $module:ident::$test:ident $($never:ident waits)?;)* })*) => {
        const OPERATIONS: &[Operation] = &[$($(
            Operation { crate_: $crate_, path: $path, class: $class },
        )*)*];

        $($(#[test]
        fn $test() {
            let points = $module::$test();
            assert_eq!(points > 0, true $(&& stringify!($never) != "never")?, "it waits, or it does not");
        })*)*
    };
}

operations! {
    "core" {
        "AsCompleted::next" LosesNothing tasks::as_completed_next;
        "AsCompletedWithin::next" LosesNothing tasks::as_completed_within_next;
        "Barrier::wait" NotSafe locks::barrier_wait;
        "BoundedSemaphore::acquire" LosesNothing locks::bounded_semaphore_acquire;
        "Broadcast::send" MayBeRestarted queues::broadcast_send;
        "BroadcastReceiver::recv" LosesNothing queues::broadcast_recv;
        "Child" NotSafe tasks::child;
        "Child::ended" NotSafe tasks::child_ended;
        "Comprehension::all" NotSafe generators::comprehension_all;
        "Comprehension::any" NotSafe generators::comprehension_any;
        "Comprehension::fold" NotSafe generators::comprehension_fold;
        "Comprehension::for_each" NotSafe generators::comprehension_for_each;
        "Comprehension::next" LosesNothing generators::comprehension_next;
        "Condition::lock" LosesNothing locks::condition_lock;
        "ConditionGuard::wait" MayBeRestarted locks::condition_wait;
        "ConditionGuard::wait_for" MayBeRestarted locks::condition_wait_for;
        "Context::scope" LosesNothing scopes::context_scope;
        "ContextVar::scope" LosesNothing scopes::context_var_scope;
        "Emitter::emit" MayBeRestarted generators::emitter_emit;
        "Event::wait" LosesNothing locks::event_wait;
        "Finally::within" NotSafe scopes::finally_within;
        "Future::wait" NotSafe tasks::future_wait;
        "Gather::outcomes" NotSafe tasks::gather_outcomes;
        "Generator::close" LosesNothing generators::generator_close never waits;
        "Generator::next" LosesNothing generators::generator_next;
        "Mutex::lock" LosesNothing locks::mutex_lock;
        "OnceCell::get_or_init" MayBeRestarted locks::once_cell_get_or_init;
        "OnceCell::get_or_try_init" MayBeRestarted locks::once_cell_get_or_try_init;
        "OnceCell::wait" LosesNothing locks::once_cell_wait;
        "OneShot::recv" LosesNothing queues::one_shot_recv;
        "QueueOf::get" LosesNothing queues::queue_get;
        "QueueOf::join" LosesNothing queues::queue_join;
        "QueueOf::put" MayBeRestarted queues::queue_put;
        "RawCondition::wait" NotSafe locks::raw_condition_wait;
        "RawLock::acquire" LosesNothing locks::raw_lock_acquire;
        "RwLock::read" LosesNothing locks::rw_lock_read;
        "RwLock::write" LosesNothing locks::rw_lock_write;
        "ScopedChild" NotSafe scopes::scoped_child;
        "Semaphore::acquire" LosesNothing locks::semaphore_acquire;
        "Signal::wait" LosesNothing queues::signal_wait;
        "Task" NotSafe tasks::task;
        "Task::ended" NotSafe tasks::task_ended;
        "TaskPool::group" NotSafe scopes::task_pool_group;
        "TimeLimit::scope" LosesNothing time::time_limit_scope;
        "WaitQueue::wait_until" LosesNothing queues::wait_queue_wait_until;
        "WatchReceiver::changed" LosesNothing queues::watch_changed;
        "WatchReceiver::wait_for" LosesNothing queues::watch_wait_for;
        "Within::or_report" NotSafe scopes::within_or_report;
        "cancel_and_wait" MayBeRestarted tasks::cancel_and_wait_;
        "collect" NotSafe generators::collect_;
        "finally" NotSafe scopes::finally_;
        "gather" NotSafe tasks::gather_;
        "group" NotSafe scopes::group_;
        "join" NotSafe scopes::join_;
        "scope" NotSafe scopes::scope_;
        "select" LosesNothing scopes::select_;
        "shield" NotSafe tasks::shield_;
        "sleep" MayBeRestarted time::sleep_;
        "sleep_until" LosesNothing time::sleep_until_;
        "staggered_race" MayBeRestarted scopes::staggered_race_;
        "timeout" LosesNothing time::timeout_;
        "timeout_at" LosesNothing time::timeout_at_;
        "timeout_scope" LosesNothing time::timeout_scope_;
        "try_collect" NotSafe generators::try_collect_;
        "try_gather" NotSafe tasks::try_gather_;
        "wait" NotSafe tasks::wait_;
        "yield_now" LosesNothing time::yield_now_;
    }
    "backends/mio" {
        "TcpListener::accept" LosesNothing net::tcp_listener_accept;
        "TcpStream::connect" MayBeRestarted net::tcp_stream_connect;
        "TcpStream::read" LosesNothing net::tcp_stream_read;
        "TcpStream::write" LosesNothing net::tcp_stream_write;
    }
}

/// What is in the source of a crate, and what is in the list of it.
fn found_and_listed(crate_: &str) -> (scan::Operations, BTreeSet<String>) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_).join("src");
    let handles = if crate_ == "core" { &HANDLES[..] } else { &[] };
    let listed =
        OPERATIONS.iter().filter(|operation| operation.crate_ == crate_ && !OF_TRAITS.contains(&operation.path));
    (scan::operations(&source, handles), listed.map(|operation| operation.path.to_owned()).collect())
}

#[test]
fn every_operation_is_in_the_list() {
    for crate_ in ["core", "backends/mio"] {
        let (found, listed) = found_and_listed(crate_);
        let found: BTreeSet<_> = found.into_keys().collect();
        let missing: Vec<_> = found.difference(&listed).collect();
        let gone: Vec<_> = listed.difference(&found).collect();
        assert!(
            missing.is_empty() && gone.is_empty(),
            "{crate_}: not in the list of tests/cancel_safety/main.rs, with a class and a test: {missing:?}; \
             in the list, and not in the source: {gone:?}"
        );
    }
}

#[test]
fn the_documentation_says_what_the_list_says() {
    let mut wrong = Vec::new();
    for crate_ in ["core", "backends/mio"] {
        let found = found_and_listed(crate_).0;
        for operation in OPERATIONS.iter().filter(|operation| operation.crate_ == crate_) {
            let Some(section) = found.get(operation.path) else { continue };
            let text = section.as_deref().unwrap_or("nothing");
            let says = Class::ALL.into_iter().find(|class| text.starts_with(class.term()));
            if says != Some(operation.class) {
                wrong.push(format!(
                    "{}: {} is to begin with {:?}: {text}",
                    crate_,
                    operation.path,
                    operation.class.term()
                ));
            } else if operation.class != LosesNothing && text.len() < operation.class.term().len() + 20 {
                wrong.push(format!("{}: {} is to say what is lost: {text}", crate_, operation.path));
            }
        }
    }
    // Where no test can run, there is the documentation at least.
    for (path, section) in
        scan::operations(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../backends/cortex-m/src"), &[])
    {
        if !section.as_deref().is_some_and(|text| Class::ALL.iter().any(|class| text.starts_with(class.term()))) {
            wrong.push(format!("backends/cortex-m: {path} is to begin with a class: {section:?}"));
        }
    }
    assert!(wrong.is_empty(), "under \"Cancel safety\":\n{}", wrong.join("\n"));
}
