/* A peer in C for the tests of raw sockets: it knows sockets and bytes, and nothing of events.
 *
 *   peer unix PATH | tcp PORT | udp PORT    connects and sends what the README of node-ipc shows for raw buffers: a text, arrays
 *                                           of bytes, and integers of both byte orders in a buffer of six bytes. Everything must
 *                                           come back as it was sent.
 *   peer serve PATH                         listens on a Unix socket, reads one such buffer, prints its integers, and answers
 *                                           with the buffer in the other byte order.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_un local(const char *path)
{
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address.sun_path) fail("path too long");
    strcpy(address.sun_path, path);
    return address;
}

static int dial(const char *transport, const char *where)
{
    int fd;
    if (strcmp(transport, "unix") == 0) {
        struct sockaddr_un address = local(where);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    } else {
        struct sockaddr_in address;
        memset(&address, 0, sizeof address);
        address.sin_family = AF_INET;
        address.sin_port = htons((uint16_t)atoi(where));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, strcmp(transport, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    }
    return fd;
}

/* Reads exactly so many bytes. */
static void read_all(int fd, unsigned char *buffer, size_t length)
{
    size_t got = 0;
    while (got < length) {
        ssize_t count = read(fd, buffer + got, length - got);
        if (count <= 0) fail("read");
        got += (size_t)count;
    }
}

static void write_all(int fd, const unsigned char *bytes, size_t length)
{
    if (write(fd, bytes, length) != (ssize_t)length) fail("write");
}

/* A 16-bit and a 32-bit integer, big-endian: the byte order of networks. */
static void pack_big(unsigned char out[6], uint16_t small, uint32_t large)
{
    uint16_t small_be = htons(small);
    uint32_t large_be = htonl(large);
    memcpy(out, &small_be, 2);
    memcpy(out + 2, &large_be, 4);
}

static void pack_little(unsigned char out[6], uint16_t small, uint32_t large)
{
    int i;
    for (i = 0; i < 2; i++) out[i] = (unsigned char)(small >> (8 * i));
    for (i = 0; i < 4; i++) out[2 + i] = (unsigned char)(large >> (8 * i));
}

static int serve(const char *path)
{
    struct sockaddr_un address = local(path);
    unsigned char buffer[6];
    uint16_t small;
    uint32_t large;
    int client, listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
    if (listen(listener, 1) < 0) fail("listen");
    client = accept(listener, NULL, NULL);
    if (client < 0) fail("accept");
    read_all(client, buffer, sizeof buffer);
    memcpy(&small, buffer, 2);
    memcpy(&large, buffer + 2, 4);
    printf("%u %u\n", (unsigned)ntohs(small), (unsigned)ntohl(large));
    pack_little(buffer, ntohs(small), ntohl(large));
    write_all(client, buffer, sizeof buffer);
    /* The other side ends the connection. */
    while (read(client, buffer, sizeof buffer) > 0) {}
    close(client);
    unlink(path);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned char big[6], little[6], back[64];
    const unsigned char decimal[] = {10, 20, 30}, hex[] = {0x05, 0x6d, 0x5c};
    struct { const unsigned char *bytes; size_t length; } messages[5];
    int fd, i;
    if (argc != 3) {
        fprintf(stderr, "usage: %s unix PATH | tcp PORT | udp PORT | serve PATH\n", argv[0]);
        return 64;
    }
    if (strcmp(argv[1], "serve") == 0) return serve(argv[2]);
    pack_big(big, 2, 16772812);
    pack_little(little, 2, 16772812);
    messages[0].bytes = (const unsigned char *)"hello";
    messages[0].length = 5;
    messages[1].bytes = decimal;
    messages[1].length = sizeof decimal;
    messages[2].bytes = hex;
    messages[2].length = sizeof hex;
    messages[3].bytes = big;
    messages[3].length = sizeof big;
    messages[4].bytes = little;
    messages[4].length = sizeof little;
    fd = dial(argv[1], argv[2]);
    for (i = 0; i < 5; i++) {
        write_all(fd, messages[i].bytes, messages[i].length);
        read_all(fd, back, messages[i].length);
        if (memcmp(back, messages[i].bytes, messages[i].length) != 0) {
            fprintf(stderr, "message %d came back changed\n", i);
            return 2;
        }
    }
    close(fd);
    puts("all came back");
    return 0;
}
