//! Macros that name an item of lapin with its types, so that nothing else compiles. Each also says what it has named, for
//! `coverage.rs`.

/// The types of functions.
macro_rules! functions {
    ($names:ident; $($path:path: $type:ty;)*) => {
        $(const _: $type = $path;)*
        pub(crate) const $names: &[&str] = &[$(stringify!($path),)*];
    };
}

/// Functions whose paths do not say their names, or whose types are generic: as an expression.
macro_rules! named {
    ($names:ident; $($name:literal = $value:expr => $type:ty;)*) => {
        $(const _: $type = $value;)*
        pub(crate) const $names: &[&str] = &[$($name,)*];
    };
}

/// Asynchronous functions: what they take and give, that their futures can be sent, and that no parameter is generic,
/// which `into()` at the place of a call would not stand.
macro_rules! calls {
    ($names:ident; $($path:path = ($($parameter:ident: $type:ty),*) -> $output:ty;)*) => {
        $(const _: () = {
            #[allow(dead_code, reason = "it is compiled, and never called")]
            fn call($($parameter: $type),*) -> impl Future<Output = lapin::Result<$output>> + Send {
                async move { $path($($parameter),*).await }
            }
            #[allow(dead_code, reason = "it is compiled, and never called")]
            async fn inferred() -> lapin::Result<$output> {
                $path($($crate::pins::any(stringify!($parameter))),*).await
            }
        };)*
        pub(crate) const $names: &[&str] = &[$(stringify!($path),)*];
    };
}

/// A value of whatever type its place has; only compiled.
pub(crate) fn any<T>(name: &str) -> T {
    unreachable!("nothing calls for {name}")
}

/// Structs that a program makes and takes apart: all their fields.
macro_rules! records {
    ($names:ident; $($path:path { $($field:ident: $type:ty),* $(,)? })*) => {
        $(const _: () = {
            type Pinned = $path;
            #[allow(dead_code, reason = "it is compiled, and never called")]
            fn made($($field: $type),*) -> Pinned {
                Pinned { $($field),* }
            }
            #[allow(dead_code, reason = "it is compiled, and never called")]
            fn taken_apart(Pinned { $($field),* }: Pinned) -> ($($type,)*) {
                ($($field,)*)
            }
        };)*
        pub(crate) const $names: &[&str] = &[$(
            stringify!($path),
            $(concat!(stringify!($path), ".", stringify!($field)),)*
        )*];
    };
}

/// Enums: all their variants. Those that may get more have a `..`.
macro_rules! enums {
    ($names:ident; $($path:path { $($variant:ident $(($($type:ty),*))?),* $(, .. $($open:ident)?)? $(,)? })*) => {
        $(const _: () = {
            type Pinned = $path;
            $(const _: fn($($($type),*)?) -> Pinned = $crate::pins::variant!(Pinned $variant $(($($type),*))?);)*
            #[allow(dead_code, unreachable_patterns, reason = "it is compiled, and never called")]
            fn told_apart(pinned: Pinned) {
                match pinned {
                    $(Pinned::$variant { .. } => {})*
                    $(_ => { $(let $open = ();)? })?
                }
            }
        };)*
        pub(crate) const $names: &[&str] = &[$(
            stringify!($path),
            $(concat!(stringify!($path), "::", stringify!($variant)),)*
        )*];
    };
}

macro_rules! variant {
    ($enum:ident $variant:ident) => {
        || $enum::$variant
    };
    ($enum:ident $variant:ident ($($type:ty),*)) => {
        $enum::$variant
    };
}
pub(crate) use variant;

/// What types implement, beside being of use in every task.
macro_rules! traits {
    ($names:ident; $($type:ty: $($bound:path),+;)*) => {
        $(const _: () = {
            const fn everywhere<T: Send + Sync + Unpin + 'static>() {}
            everywhere::<$type>();
            $({
                const fn has<T: $bound>() {}
                has::<$type>();
            })+
        };)*
        pub(crate) const $names: &[&str] =
            &[$($(concat!(stringify!($type), ": ", stringify!($bound)),)+)*];
    };
}

/// Modules, traits, aliases and functions that are generic in what cannot be written: that they are there.
macro_rules! imports {
    ($names:ident; $($path:path;)*) => {
        $(#[allow(unused_imports, reason = "it is enough that it is there")]
        use $path as _;)*
        pub(crate) const $names: &[&str] = &[$(stringify!($path),)*];
    };
}

/// Aliases: of which types.
macro_rules! aliases {
    ($names:ident; $($path:path = $type:ty;)*) => {
        $(const _: fn($path) -> $type = |it| it;)*
        pub(crate) const $names: &[&str] = &[$(stringify!($path),)*];
    };
}

/// Constants, by their values.
macro_rules! constants {
    ($names:ident; $($path:path: $type:ty = $value:expr;)*) => {
        #[test]
        fn constants_have_their_values() {
            $({
                let constant: $type = $path;
                assert_eq!(constant, $value, stringify!($path));
            })*
        }
        pub(crate) const $names: &[&str] = &[$(stringify!($path),)*];
    };
}

pub(crate) use {aliases, calls, constants, enums, functions, imports, named, records, traits};
