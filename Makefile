# Enso's build: one non-recursive make; every folder lists its own files in sources.mk, in reading order.
# `make help` names the targets. Results land in build/; DEBUG=1 (default) and DEBUG=0 stand side by side.

DEBUG  ?= 1
WERROR ?= 0
B      := build
V      := $(if $(filter 1,$(DEBUG)),debug,release)
O      := $(B)/$(V)

CROSS_COMPILE ?=
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
LD      := $(CROSS_COMPILE)ld
OBJCOPY := $(CROSS_COMPILE)objcopy
AR      := $(CROSS_COMPILE)ar
RANLIB  := $(CROSS_COMPILE)ranlib
HOSTCC  ?= gcc
PYTHON  ?= /usr/bin/python3

# What all freestanding code of ours is compiled with.
WARN     := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter $(if $(filter 1,$(WERROR)),-Werror)
COMMON   := -std=gnu11 -O2 -g -ffreestanding -fno-stack-protector -fno-strict-aliasing -fno-common \
            -mno-red-zone -fno-asynchronous-unwind-tables -fcf-protection=none -ffile-prefix-map=$(CURDIR)=. \
            -I. $(WARN) -MMD -MP $(if $(filter 1,$(DEBUG)),-DDEBUG=1,-DNDEBUG)

all:

include hypervisor/sources.mk
include guest-kernel/sources.mk
include guest-kernel/user/sources.mk
include dom0-tools/sources.mk
include tests/sources.mk

.PHONY: all
.DELETE_ON_ERROR:
.SUFFIXES:
