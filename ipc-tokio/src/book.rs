//! The pages of the book whose programs are compiled, and run where they end by themselves. (Other programs of the book are files
//! that the tests run.)

macro_rules! pages {
    ($($name:ident = $file:literal;)*) => {
        $(#[doc = include_str!(concat!("../../docs/", $file))]
        struct $name;)*
    };
}

pages! {
    Emitting = "emitting.md";
    Reconnecting = "reconnecting.md";
    Ending = "ending.md";
    Operations = "operations.md";
    Tcp = "tcp.md";
    Tls = "tls.md";
    Udp = "udp.md";
    Raw = "raw.md";
    Windows = "windows.md";
}

#[cfg(unix)]
pages! {
    Unix = "unix.md";
    Security = "security.md";
}
