/* Opening and closing as two processes and a network, for spin (docs/model.md, run.sh).
 *
 * The transitions are those of the code: src/conn/state.def is included below. The rest is what
 * docs/protocol.md says of packets, and of who repeats what. The network loses packets, delivers some twice
 * and reorders as it likes. A timer fires when nothing else can happen, and sometimes too early. Each
 * application may write one piece of data, shut down and abort, at any moment.
 *
 * How often something goes wrong is bounded by budgets; each run begins with one of four mixes, or with
 * -DLOSSES=n -DCOPIES=n -DHASTY=n -DABORTS=n. -DBREAK_... breaks a rule on purpose: spin must find it. */

/* --- names --- */

#define CLOSED      0
#define SYN_SENT    1
#define ESTABLISHED 2
#define FIN_WAIT_1  3
#define FIN_WAIT_2  4
#define CLOSING     5
#define TIME_WAIT   6
#define CLOSE_WAIT  7
#define LAST_ACK    8
#define SYN_RCVD    9 /* of a connection that early data have made */

#define ON_CONNECT   0
#define ON_SYN_ACK   1
#define ON_CONFIRMED 2
#define ON_SHUTDOWN  3
#define ON_FIN_ACKED 4
#define ON_PEER_FIN  5
#define ON_ABORT     6
#define ON_EARLY     7

/* Packets. C_x is a CONFIRM with x: it has the third step too. */
#define SYN      0
#define SYN_ACK  1
#define REFUSE   2
#define C_PING   3
#define C_DATA   4
#define C_FIN    5
#define C_RST    6
#define DATA     7
#define FIN      8
#define FIN_BOTH 9  /* FIN_ACK and FIN in one packet */
#define FIN_ACK  10
#define ACK      11 /* of a packet without data */
#define ACK_DATA 12
#define RST      13
#define TW       14 /* the packet of TIME_WAIT: {FIN_ACK, ACK} of a record */
#define CANCEL   15 /* a client takes its SYN back */
#define KINDS    16

#define NONE     0
#define OK       1
#define ABORTED  2 /* by the own application */
#define RESET    3 /* by the peer's */
#define REFUSED  4
#define TIMEDOUT 5

/* --- state --- */

byte net[32];          /* [sender * KINDS + kind]: copies under way, at most two */
byte losses;           /* packets that the network will lose at most */
byte copies;           /* packets that it will deliver twice */
byte hasty;            /* timers that will fire too early */
byte aborts;           /* applications that will abort */

bool listens;          /* B accepts connections */
bool rendezvous;       /* both connect; A has the greater id */
bool talkative;        /* B goes on sending until A's FIN is acknowledged */
bool early;            /* A's SYN carries its piece of data */
bool taken;            /* ... which B took, and says so in its SYN_ACK */

byte st[2];            /* by state.def */
bool connected[2];     /* connect was called */
bool half[2];          /* a half-open entry: SYN_RCVD */
bool spent[2];         /* ... was taken back: the SYN is known by its hash */
bool initiator[2];     /* of the connection that stands */
bool confirmed[2];     /* initiator: the server has answered under the transport keys */
bool opened[2];        /* there are keys */
bool wrote[2];         /* a piece of data */
bool acked[2];         /* ... that the peer has */
bool shut[2];          /* shutdown was called */
bool peer_fin[2];      /* FIN is here */
bool complete[2];      /* ... and all that it counts: end of data was reported */
bool got[2];           /* the peer's piece was delivered */
byte record[2];        /* what a record answers: 0, TW or RST */
byte outcome[2];
bool over[2];          /* it will do nothing any more */
byte turn;             /* whose timer is next: both clocks run */

#define PEER (1 - me)
/* Keys that open the peer's packets. */
#define alive(i) (opened[i] && st[i] != CLOSED && st[i] != TIME_WAIT)
#define lives alive(me)
#define unconfirmed(i) (initiator[i] && !confirmed[i])
/* SYN_ACKs are repeated; not those of a connection that has ended, unless the SYN is. */
#define waits(i) (half[i] && (!opened[i] || alive(i)))
#define third_step unconfirmed(me)
#define fin_open(i) (st[i] == FIN_WAIT_1 || st[i] == CLOSING || st[i] == LAST_ACK)
#define fin_unanswered fin_open(me)

inline happens(event)
{
    if
#define SKUA_TRANSITION(from, what, to) :: st[me] == from && event == ON_##what -> st[me] = to;
#include "conn/state.def"
#undef SKUA_TRANSITION
    :: else
    fi
}

/* Sends a packet: it will arrive, twice perhaps, or is lost. */
inline post(kind)
{
    if
    :: net[me * KINDS + kind] < 2 -> net[me * KINDS + kind]++
    :: net[me * KINDS + kind] == 2
    :: copies > 0 && net[me * KINDS + kind] == 0 -> copies--; net[me * KINDS + kind] = 2
    :: losses > 0 -> losses--
    fi
}

/* --- sending --- */

inline send_data()
{
    if
    :: third_step -> post(C_DATA)
    :: else -> post(DATA)
    fi
}

inline send_fin()
{
    if
    :: third_step -> post(C_FIN)
#ifndef BREAK_FIN_WITHOUT_ACK
    :: !third_step && complete[me] -> post(FIN_BOTH)
    :: !third_step && !complete[me] -> post(FIN)
#else
    :: else -> post(FIN)
#endif
    fi
}

inline finish(how)
{
    outcome[me] = how;
#ifndef BREAK_EARLY_FORGOTTEN
    half[me] = half[me] && early
#else
    half[me] = false
#endif
}

/* --- the application --- */

inline do_shutdown()
{
    shut[me] = true;
    happens(ON_SHUTDOWN);
    if
    :: fin_unanswered -> send_fin()
    :: else
    fi
}

/* A CONFIRM is too long for a record to keep. */
inline do_abort()
{
    if
    :: st[me] == SYN_SENT -> post(CANCEL)
    :: st[me] != SYN_SENT && third_step -> post(C_RST)
    :: st[me] != SYN_SENT && !third_step -> post(RST); record[me] = RST
    fi;
    happens(ON_ABORT);
    finish(ABORTED)
}

/* --- receiving --- */

inline enter_time_wait()
{
    post(TW);
#ifndef BREAK_NO_RECORD
    record[me] = TW;
#else
    st[me] = CLOSED;
#endif
    finish(OK)
}

/* All that FIN counts is here, for the first time. */
inline look_for_end()
{
    if
#ifndef BREAK_FIN_IS_THE_END
    :: peer_fin[me] && !complete[me] && (got[me] || !wrote[PEER]) ->
#else
    :: peer_fin[me] && !complete[me] ->
#endif
        complete[me] = true;
        happens(ON_PEER_FIN);
        if
        :: st[me] == TIME_WAIT -> enter_time_wait()
        :: else -> post(FIN_ACK)
        fi
    :: else
    fi
}

inline on_data()
{
    if
    :: !got[me] ->
        assert(!complete[me]); /* nothing after end of data */
        got[me] = true
    :: else
    fi;
    post(ACK_DATA);
    look_for_end()
}

inline on_fin()
{
    assert(shut[PEER]);
    if
    :: complete[me] -> /* a repeat: the FIN_ACK was lost */
#ifndef BREAK_FIN_ACK_ONCE
        post(FIN_ACK)
#else
        skip
#endif
    :: else ->
        peer_fin[me] = true;
        look_for_end()
    fi
}

inline on_fin_ack()
{
    assert(shut[me]);
    if
    :: fin_unanswered ->
        acked[me] = true;
        happens(ON_FIN_ACKED);
        if
        :: st[me] == TIME_WAIT -> enter_time_wait()
        :: st[me] == CLOSED -> finish(OK)
        :: else
        fi
    :: else
    fi
}

inline on_rst()
{
    happens(ON_ABORT);
    finish(RESET)
}

/* A packet under transport keys, with a third step or without. A record answers what is longer than what
 * it repeats, so not another record's packet, and not a bare ACK. */
inline on_packet()
{
    if
    :: half[me] -> /* early data had opened it; now the client has shown that it is there */
        half[me] = false;
        if
        :: lives -> happens(ON_CONFIRMED)
        :: else
        fi
    :: else
    fi;
    if
    :: lives ->
        confirmed[me] = true;
        if
        :: m == C_PING -> post(ACK)
        :: m == C_DATA || m == DATA -> on_data()
        :: m == C_FIN || m == FIN -> on_fin()
        :: m == FIN_BOTH ->
            on_fin_ack();
            if
            :: lives -> on_fin()
            :: else
            fi
        :: m == FIN_ACK || m == TW -> on_fin_ack()
        :: m == ACK
        :: m == ACK_DATA -> acked[me] = true
        :: m == C_RST || m == RST -> on_rst()
        fi
    :: else ->
        if
        :: record[me] != 0 && m != ACK && m != ACK_DATA && m != TW && m != RST -> post(record[me])
        :: else
        fi
    fi
}

/* Written, or ended, before there was a connection. */
inline send_what_waited()
{
    if
    :: wrote[me] && !acked[me] -> send_data()
    :: else
    fi;
    if
    :: shut[me] -> do_shutdown()
    :: else
    fi
}

/* The first packet with the third step makes the server's connection. */
inline on_confirm()
{
    if
    :: half[me] && !opened[me] ->
        half[me] = false;
        initiator[me] = false;
        confirmed[me] = true;
        opened[me] = true;
        happens(ON_CONFIRMED);
        post(ACK);
        send_what_waited()
    :: else
    fi
}

/* Early data are taken or not; whoever takes them has a connection at once. */
inline judge_early()
{
    if
    :: early ->
        taken = true;
        opened[me] = true;
        got[me] = true;
        happens(ON_EARLY)
    :: true
    fi
}

inline on_syn()
{
    if
    :: half[me] -> post(SYN_ACK)
    :: !half[me] && (opened[me] || over[me] || outcome[me] != NONE || spent[me]) /* too late */
    :: else ->
        if
        :: rendezvous && st[me] == SYN_SENT && me == 0 -> post(SYN) /* the greater: insists on its own */
        :: rendezvous && st[me] == SYN_SENT && me == 1 -> half[me] = true; post(SYN_ACK)
        :: rendezvous && st[me] != SYN_SENT
        :: !rendezvous && listens -> half[me] = true; judge_early(); post(SYN_ACK)
        :: !rendezvous && !listens -> post(REFUSE)
        fi
    fi
}

inline on_syn_ack()
{
    if
    :: st[me] == SYN_SENT ->
        initiator[me] = true;
        opened[me] = true;
        half[me] = false;
        acked[me] = taken;
        happens(ON_SYN_ACK);
        post(C_PING);
        send_what_waited()
    :: st[me] != SYN_SENT && lives && third_step -> post(C_PING)
    :: else
    fi
}

/* --- the network --- */

#define under_way(kind) net[PEER * KINDS + kind] > 0 -> m = kind
#define something_under_way \
    (net[PEER * KINDS] + net[PEER * KINDS + 1] + net[PEER * KINDS + 2] + net[PEER * KINDS + 3] + \
     net[PEER * KINDS + 4] + net[PEER * KINDS + 5] + net[PEER * KINDS + 6] + net[PEER * KINDS + 7] + \
     net[PEER * KINDS + 8] + net[PEER * KINDS + 9] + net[PEER * KINDS + 10] + net[PEER * KINDS + 11] + \
     net[PEER * KINDS + 12] + net[PEER * KINDS + 13] + net[PEER * KINDS + 14] + net[PEER * KINDS + 15] > 0)

inline pick()
{
    if
    :: under_way(SYN)
    :: under_way(SYN_ACK)
    :: under_way(REFUSE)
    :: under_way(C_PING)
    :: under_way(C_DATA)
    :: under_way(C_FIN)
    :: under_way(C_RST)
    :: under_way(DATA)
    :: under_way(FIN)
    :: under_way(FIN_BOTH)
    :: under_way(FIN_ACK)
    :: under_way(ACK)
    :: under_way(ACK_DATA)
    :: under_way(RST)
    :: under_way(TW)
    :: under_way(CANCEL)
    fi
}

inline receive()
{
    if
    :: m == SYN -> on_syn()
    :: m == SYN_ACK -> on_syn_ack()
    :: m == REFUSE ->
        if
        :: st[me] == SYN_SENT -> happens(ON_ABORT); finish(REFUSED)
        :: else
        fi
    :: m == CANCEL ->
        spent[me] = spent[me] || half[me];
        if
        :: half[me] && lives -> half[me] = false; on_rst()
        :: else -> half[me] = false
        fi
    :: m == C_PING || m == C_DATA || m == C_FIN || m == C_RST -> on_confirm()
    :: else
    fi;
    if
    :: m >= C_PING && m != CANCEL -> on_packet()
    :: else
    fi
}

/* --- timers: what is repeated --- */

#define has_to_repeat(i) \
    (st[i] == SYN_SENT || waits(i) || \
     (alive(i) && (unconfirmed(i) || fin_open(i) || (wrote[i] && !acked[i]))))

/* All that is unanswered: a PTO sends two packets, of what has waited longest. */
inline repeat()
{
    if
    :: st[me] == SYN_SENT -> post(SYN)
    :: else
    fi;
    if
    :: waits(me) -> post(SYN_ACK)
    :: else
    fi;
    if
    :: lives ->
        if
        :: third_step && !fin_unanswered && !(wrote[me] && !acked[me]) -> post(C_PING)
        :: else
        fi;
        if
        :: wrote[me] && !acked[me] -> send_data()
        :: else
        fi;
        if
#ifndef BREAK_FIN_ONCE
        :: fin_unanswered -> send_fin()
#endif
        :: else
        fi
    :: else
    fi
}

/* The other side is gone and has left nothing that would say so. What ends this one is the last repeat of a SYN
 * or SYN_ACK, the idle time, or the user timeout. */
#define nobody_there (over[PEER] && (half[me] || lives || st[me] == SYN_SENT))

/* --- what must hold at the end --- */

/* OK means that all data of both directions arrived, and that the other side knows of no error but one of its
 * own making. Every other end has its cause on the other side. */
inline agree(i)
{
    if
    :: outcome[i] == OK ->
        assert(!wrote[i] || got[1 - i]);
        assert(!wrote[1 - i] || got[i]);
        assert(outcome[1 - i] == OK || outcome[1 - i] == ABORTED)
    :: else
    fi;
    assert(outcome[i] != RESET || outcome[1 - i] == ABORTED);
    assert(outcome[i] != TIMEDOUT || outcome[1 - i] == ABORTED);
    assert(outcome[i] != REFUSED || (!listens && !rendezvous));
    assert(outcome[i] != NONE || (i == 1 && !rendezvous && outcome[0] != OK))
}

/* --- a side --- */

proctype Side(byte me)
{
    byte m; /* kind of the packet that is received */

    do
    /* The application. */
    :: atomic { !over[me] && !connected[me] && (me == 0 || rendezvous) ->
        connected[me] = true; wrote[me] = early; happens(ON_CONNECT); post(SYN) }
    :: atomic { (lives || st[me] == SYN_SENT) && !wrote[me] && !shut[me] ->
        wrote[me] = true;
        if
        :: lives -> send_data()
        :: else
        fi }
    :: atomic { (lives || st[me] == SYN_SENT) && !shut[me] &&
                !(talkative && me == 1 && st[0] == FIN_WAIT_1) -> do_shutdown() }
    :: atomic { (lives || st[me] == SYN_SENT) && aborts > 0 -> aborts--; do_abort() }

    /* The network: any packet may be next. */
    :: atomic { something_under_way ->
        pick();
        net[PEER * KINDS + m]--;
        if
        :: over[me]
        :: else -> receive()
        fi;
        m = 0 }

    /* Timers. A record outlasts the peer's repeats: its time is several PTO. */
    :: atomic { hasty > 0 && has_to_repeat(me) -> hasty--; repeat() }
    :: atomic { timeout && !nobody_there && has_to_repeat(me) && (turn == me || !has_to_repeat(PEER)) ->
        turn = PEER; repeat() }
    :: atomic { timeout && nobody_there ->
        half[me] = false;
        if
        :: lives || st[me] == SYN_SENT -> happens(ON_ABORT); finish(TIMEDOUT)
        :: else
        fi }
    :: atomic { timeout && record[me] != 0 && !has_to_repeat(PEER) ->
        record[me] = 0; half[me] = false; st[me] = CLOSED }

    /* The end: the connection is over, or the only one that could have begun it has given up. */
    :: atomic { !over[me] && st[me] == CLOSED && record[me] == 0 && !half[me] &&
                (outcome[me] != NONE || (me == 1 && !rendezvous && over[PEER])) ->
        if
        :: over[PEER] -> agree(0); agree(1)
        :: else
        fi;
        over[me] = true }
    :: atomic { over[0] && over[1] -> break }
    od
}

/* --- the start --- */

inline choose_budgets()
{
#ifdef LOSSES
    losses = LOSSES; copies = COPIES; hasty = HASTY; aborts = ABORTS;
    if
    :: talkative = true
    :: skip
    fi
#else
    if
    :: losses = 2; aborts = 1
    :: losses = 1; hasty = 1
    :: losses = 1; copies = 1
    :: losses = 2; talkative = true
    fi
#endif
}

init {
    atomic {
        choose_budgets();
        if
        :: listens = true /* client and server */
        :: listens = true; early = true
        :: skip           /* a client, and nobody who listens */
        :: rendezvous = true
        fi;
        run Side(0);
        run Side(1)
    }
}

ltl ends { <> (over[0] && over[1]) }
