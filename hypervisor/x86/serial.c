/* SPDX-License-Identifier: MIT */
/* serial.c: a 16550 UART: output polled, input by interrupt.                                            [read 13]
 *
 * Output happens under the console lock (lib/print.c), a FIFO-full at a time. Input comes on the boot pCPU and
 * goes up through the function that core/guestcons.c registered.                                             */
#include "hypervisor/x86/serial.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/model.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/insn.h"
#include "hypervisor/x86/ioapic.h"
#include "hypervisor/x86/irq.h"

#define UART_DATA 0
#define UART_IER  1
#define UART_FCR  2
#define UART_LCR  3
#define UART_MCR  4
#define UART_LSR  5
#define UART_SCR  7
#define LSR_DATA  0x01
#define LSR_EMPTY 0x20
#define LCR_8N1   0x03
#define LCR_DLAB  0x80
#define FIFO_SIZE 16
#define COM1      0x3f8

static struct {
    uint16_t port;                       /* 0: none */
    char last;                           /* last byte sent: a newline gets its carriage return once */
    unsigned room;                       /* bytes the FIFO still takes */
    void (*receive)(uint8_t byte, uint64_t stamp);
} uart;

static void send_byte(uint8_t byte)
{
    if (!uart.room) {
        for (unsigned spins = 0; !(inb(uart.port + UART_LSR) & LSR_EMPTY) && spins < 1000000; spins++)
            cpu_pause();
        uart.room = FIFO_SIZE;
    }
    uart.room--;
    outb(uart.port + UART_DATA, byte);
}

static void sink(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n' && uart.last != '\r')
            send_byte('\r');
        send_byte((uint8_t)bytes[i]);
        uart.last = bytes[i];
    }
}

/* Is there a UART? Its scratch register keeps what is written; floating lines do not. */
static bool present(uint16_t port)
{
    outb(port + UART_SCR, 0x5a);
    return inb(port + UART_SCR) == 0x5a && inb(port + UART_LSR) != 0xff;
}

void serial_init_early(uint16_t port)
{
    if (!port || !present(port))
        return;
    outb(port + UART_IER, 0);
    outb(port + UART_LCR, LCR_DLAB);
    outb(port + UART_DATA, 1);           /* 115200 baud */
    outb(port + UART_IER, 0);
    outb(port + UART_LCR, LCR_8N1);
    outb(port + UART_FCR, 0x07);         /* FIFOs on and empty; an interrupt at the first byte */
    outb(port + UART_MCR, 0x0b);         /* DTR, RTS, and OUT2, which lets the interrupt out */
    uart.port = port;
    console_set_sink(sink);
}

static void receive_interrupt(uint32_t vector, void *arg)
{
    uint64_t stamp = rdtsc();

    for (unsigned n = 0; n < 64 && (inb(uart.port + UART_LSR) & LSR_DATA); n++)
        uart.receive(inb(uart.port + UART_DATA), stamp);
    apic_eoi();
}

void serial_init_irq(void (*fn)(uint8_t byte, uint64_t stamp))
{
    bool level, low;
    uint32_t gsi;
    int vector;

    if (!uart.port)
        return;
    gsi = serial_gsi(&level, &low);
    vector = irq_alloc_vector();
    if (vector < 0)
        return;
    uart.receive = fn;
    irq_set_handler((uint8_t)vector, receive_interrupt, NULL);
    if (ioapic_route(gsi, (uint8_t)vector, pcpus[0]->apic_id, level, low)) {
        log_warn("the serial port's interrupt line is not on an IO-APIC: no console input");
        return;
    }
    outb(uart.port + UART_IER, 1);
}

uint32_t serial_gsi(bool *level, bool *active_low)
{
    return ioapic_isa_gsi(uart.port == COM1 ? 4 : 3, level, active_low);
}

uint16_t serial_port(void)
{
    return uart.port;
}
