//! Every test of the suite, one of `cargo test`'s each, on the `Backend` of the file that this is part of.

macro_rules! no_heap {
    ($($module:ident { $($test:ident)* })*) => {$(mod $module {$(
        #[test]
        fn $test() {
            corio_suite::run_no_heap(&mut crate::Backend, concat!(stringify!($module), "::", stringify!($test)));
        }
    )*})*};
}

macro_rules! hosted {
    ($($module:ident { $($test:ident)* })*) => {$(mod $module {$(
        #[test]
        fn $test() {
            corio_suite::run_hosted(&mut crate::Backend, concat!(stringify!($module), "::", stringify!($test)));
        }
    )*})*};
}

mod no_heap {
    corio_suite::no_heap_tests!(no_heap);
    corio_suite::no_heap_shared_tests!(no_heap);
    corio_suite::no_heap_structured_tests!(no_heap);
    corio_suite::no_heap_beyond_tests!(no_heap);
}

mod hosted {
    corio_suite::hosted_tests!(hosted);
}
