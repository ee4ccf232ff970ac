/* Bits of the first byte that concern sealing (docs/protocol.md, "Packets"). */
#ifndef SKUA_PACKET_BITS_H
#define SKUA_PACKET_BITS_H

#define SKUA_BIT_LONG      0x80U /* long header: CONFIRM is the only one that is sealed */
#define SKUA_BITS_RESERVED 0x38U /* of DATA; zero, checked after opening */
#define SKUA_BIT_PHASE     0x04U /* of DATA: key phase */
#define SKUA_PHASE_SHIFT   2

#endif
