//! The calls of Windows that pipes need and the standard library does not have. The only unsafe code of this crate, with
//! that of `port`, which has the calls that end later; what the calls are for is said in `pipe`.
#![allow(unsafe_code, reason = "foreign functions; each call says why it is sound")]

pub(super) mod port;

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;
use windows_sys::Win32::Foundation::{
    ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED, HANDLE, INVALID_HANDLE_VALUE, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_TYPE_PIPE, GetFileType, PIPE_ACCESS_DUPLEX, ReadFile,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeClientProcessId, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES, PIPE_WAIT, PeekNamedPipe,
};
use windows_sys::Win32::System::Threading::CreateEventW;

/// Makes an instance of a byte pipe for overlapped use, both ways, for clients of this machine only. No child process
/// inherits it.
pub(super) fn create(name: &str, descriptor: &str, first: bool, buffer: u32) -> io::Result<OwnedHandle> {
    let name = wide(name);
    let descriptor = Descriptor::parse(descriptor)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(u32::MAX),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    let first = if first { FILE_FLAG_FIRST_PIPE_INSTANCE } else { 0 };
    // SAFETY: the name ends in a NUL; name, attributes and descriptor live until the call has returned.
    let handle = unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            buffer,
            buffer,
            0,
            &raw const attributes,
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was made just now, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle as RawHandle) })
}

/// Whether it is a pipe at all.
pub(super) fn is_pipe(handle: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open as long as it is borrowed.
    unsafe { GetFileType(raw(handle)) == FILE_TYPE_PIPE }
}

/// Whether the other end has gone and left nothing to read.
pub(super) fn is_over(pipe: BorrowedHandle<'_>) -> bool {
    // SAFETY: the handle is open as long as it is borrowed, and nothing is asked for that needs room.
    let alive =
        unsafe { PeekNamedPipe(raw(pipe), ptr::null_mut(), 0, ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) };
    alive == 0
}

/// Ends every operation of this process on the pipe that has not come to its end. Whoever started one hears of it in the
/// usual way.
pub(super) fn cancel(pipe: BorrowedHandle<'_>) {
    // SAFETY: the handle is open as long as it is borrowed; without an OVERLAPPED no memory is looked at.
    // It fails if there is nothing to end.
    let _nothing_to_end = unsafe { CancelIoEx(raw(pipe), ptr::null()) };
}

/// An event for [`read_now`], of no name, not set, that is reset by whoever starts to wait for it.
pub(super) fn event() -> io::Result<OwnedHandle> {
    // SAFETY: neither attributes nor a name are given.
    let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
    if event.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was made just now, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(event as RawHandle) })
}

/// Reads what is there from a pipe that was opened for overlapped use: `None` if nothing is. Nobody else may be using the
/// event.
pub(super) fn read_now(
    pipe: BorrowedHandle<'_>,
    event: BorrowedHandle<'_>,
    buffer: &mut [u8],
) -> io::Result<Option<usize>> {
    let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    // An event whose lowest bit is set keeps the end of this from the completion port that the pipe may have.
    let event = raw(event).map_addr(|address| address | 1);
    let mut overlapped = OVERLAPPED { hEvent: event, ..OVERLAPPED::default() };
    let overlapped = &raw mut overlapped;
    // SAFETY: the handles are open as long as they are borrowed. Buffer and `overlapped` live, and are not looked at, until
    // the system is done with them, which is ensured below.
    let done = unsafe { ReadFile(raw(pipe), buffer.as_mut_ptr(), length, ptr::null_mut(), overlapped) };
    if done == 0 {
        let error = io::Error::last_os_error();
        if super::raw(&error) != Some(ERROR_IO_PENDING) {
            return Err(error);
        }
        // Nothing is there, so it would wait. If something has come just now this ends nothing.
        // SAFETY: the handle is open, and the read is named by the address of what it was started with.
        let _nothing_to_end = unsafe { CancelIoEx(raw(pipe), overlapped) };
    }
    let mut count = 0;
    loop {
        // SAFETY: the handle is open, and all of it outlives the call.
        if unsafe { GetOverlappedResult(raw(pipe), overlapped, &raw mut count, 1) } != 0 {
            return Ok(Some(count as usize));
        }
        let error = io::Error::last_os_error();
        match super::raw(&error) {
            // We must not leave before the system has.
            Some(ERROR_IO_INCOMPLETE) => {}
            Some(ERROR_OPERATION_ABORTED) => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// The process at the other end of a server's instance.
pub(super) fn client_process(pipe: BorrowedHandle<'_>) -> io::Result<u32> {
    let mut process = 0;
    // SAFETY: the handle is open as long as it is borrowed, and `process` outlives the call.
    if unsafe { GetNamedPipeClientProcessId(raw(pipe), &raw mut process) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(process)
}

fn raw(handle: BorrowedHandle<'_>) -> HANDLE {
    handle.as_raw_handle() as HANDLE
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A security descriptor in memory of the system.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    /// Reads it from the Security Descriptor Definition Language.
    fn parse(text: &str) -> io::Result<Self> {
        let text = wide(text);
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        // SAFETY: the text ends in a NUL, and both outlive the call.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(descriptor)) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the call that made it gave it to us, to be freed so, and nobody has it any more.
        unsafe { LocalFree(self.0.cast::<c_void>()) };
    }
}

/// What the system says of who may do what with an object: its access list in the Security Descriptor Definition
/// Language.
#[cfg(test)]
pub(super) fn access_list(handle: BorrowedHandle<'_>) -> io::Result<String> {
    use windows_sys::Win32::Security::Authorization::{
        ConvertSecurityDescriptorToStringSecurityDescriptorW, GetSecurityInfo, SE_KERNEL_OBJECT,
    };
    use windows_sys::Win32::Security::DACL_SECURITY_INFORMATION;

    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the handle is open as long as it is borrowed, and `descriptor` outlives the call.
    let error = unsafe {
        GetSecurityInfo(
            raw(handle),
            SE_KERNEL_OBJECT,
            DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(i32::try_from(error).unwrap_or(i32::MAX)));
    }
    let descriptor = Descriptor(descriptor);
    let mut text = ptr::null_mut();
    let mut length = 0;
    // SAFETY: the descriptor lives until the end of this function, `text` and `length` outlive the call.
    let done = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.0,
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &raw mut text,
            &raw mut length,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call gave so many units of text, which is freed only after they were copied.
    let units = unsafe { std::slice::from_raw_parts(text, length as usize) }.to_vec();
    // SAFETY: the call gave us the text, to be freed so.
    unsafe { LocalFree(text.cast::<c_void>()) };
    Ok(String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned())
}
