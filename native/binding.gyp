{
  # ONEHOP_SANITIZE=address,undefined or =thread npm run build:native builds with those sanitizers; node then
  # needs LD_PRELOAD="$(g++ -print-file-name=libasan.so)" (libtsan.so).
  #
  # Without -fno-tree-slp-vectorize, 16 bytes at once are read of what has just been written 8 at a time, an address mostly,
  # and the processor waits for the writes to reach the cache: a fifth of a packet's time.
  #
  # The fast path is built where clang and libbpf's headers are.
  "variables": {
    "sanitize%": "<!(echo ${ONEHOP_SANITIZE:-})",
    "fastpath%": "<!(python3 bpf/build.py --check)"
  },
  "target_defaults": {
    "cflags": ["-fPIC"],
    "cflags_cc": [
      "-std=c++20", "-O3", "-g", "-fvisibility=hidden", "-fno-tree-slp-vectorize",
      "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow"
    ],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-exceptions", "-fno-rtti"],
    "conditions": [
      ["sanitize!=''", {
        "cflags_cc": ["-fsanitize=<(sanitize)", "-fno-omit-frame-pointer"],
        "ldflags": ["-fsanitize=<(sanitize)"]
      }]
    ]
  },
  "targets": [
    {
      "target_name": "engine",
      "type": "static_library",
      "sources": [
        "src/table/entries.cc",
        "src/table/maglev.cc",
        "src/table/turns.cc",
        "src/pipeline/update.cc",
        "src/pipeline/lookup.cc",
        "src/pipeline/pipeline.cc",
        "src/pipeline/choose.cc",
        "src/pipeline/forecast.cc",
        "src/pipeline/forward.cc",
        "src/pipeline/fragments.cc",
        "src/pipeline/answer.cc",
        "src/pipeline/quoted.cc",
        "src/pipeline/reply.cc",
        "src/pipeline/engine.cc"
      ]
    },
    {
      "target_name": "watch",
      "type": "static_library",
      "sources": [
        "src/watch/watch.cc"
      ]
    },
    {
      "target_name": "io",
      "type": "static_library",
      "sources": [
        "src/io/failure.cc",
        "src/io/confinement.cc",
        "src/io/vnet_header.cc",
        "src/io/tun.cc",
        "src/io/link_queue.cc",
        "src/io/train.cc",
        "src/io/outbox.cc",
        "src/io/packet_socket.cc",
        "src/io/echo_socket.cc",
        "src/io/file_lock.cc",
        "src/io/netlink.cc",
        "src/io/rtnetlink.cc",
        "src/io/neighbour_table.cc",
        "src/io/neighbours.cc",
        "src/io/thread_group.cc",
        "src/io/probe.cc",
        "src/io/packet_thread.cc",
        "src/io/forwarder.cc"
      ]
    },
    {
      "target_name": "fastpath",
      "type": "static_library",
      "conditions": [
        ["fastpath==1", {
          "sources": [
            "src/fastpath/program.cc",
            "src/fastpath/hooks.cc",
            "src/fastpath/services.cc",
            "src/fastpath/sources.cc",
            "src/fastpath/links.cc",
            "src/fastpath/targets.cc",
            "src/fastpath/tallies.cc",
            "src/fastpath/straight.cc",
            "src/fastpath/attachments.cc",
            "src/fastpath/adoption.cc",
            "src/fastpath/fast_path.cc",
            "<(SHARED_INTERMEDIATE_DIR)/onehop_bpf.cc"
          ],
          "actions": [{
            "action_name": "bpf",
            "inputs": ["bpf/build.py", "bpf/onehop.bpf.c", "bpf/maps.h"],
            "outputs": ["<(SHARED_INTERMEDIATE_DIR)/onehop_bpf.cc"],
            "action": ["python3", "bpf/build.py", "<@(_outputs)"]
          }],
          "link_settings": {"libraries": ["-lbpf"]}
        }, {
          "sources": ["src/fastpath/absent.cc"]
        }]
      ]
    },
    {
      "target_name": "onehop",
      "dependencies": ["fastpath", "io", "watch", "engine"],
      "sources": [
        "src/addon/arguments.cc",
        "src/addon/options.cc",
        "src/addon/results.cc",
        "src/addon/engine_object.cc",
        "src/addon/engine_table.cc",
        "src/addon/engine_forecast.cc",
        "src/addon/engine_traffic.cc",
        "src/addon/echo_socket_object.cc",
        "src/addon/addon.cc"
      ],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_ADDON_API_CPP_EXCEPTIONS"],
      # As system headers: their warnings are not ours.
      "cflags_cc": ["-isystem", "<!(node -p \"require('path').dirname(require.resolve('node-addon-api'))\")"]
    },
    {
      "target_name": "fastpath_absent",
      "type": "executable",
      "dependencies": ["io", "engine"],
      "sources": ["src/fastpath/absent.cc", "test/fastpath_absent.cc"]
    },
    {
      "target_name": "engine_bench",
      "type": "executable",
      "dependencies": ["engine"],
      "sources": ["bench/engine_bench.cc"]
    },
    {
      "target_name": "datagrams",
      "type": "executable",
      "sources": ["bench/datagrams.cc"],
      "libraries": ["-pthread"]
    },
    {
      "target_name": "clients",
      "type": "executable",
      "sources": ["bench/clients.cc"],
      "libraries": ["-pthread"]
    }
  ],
  "conditions": [
    ["fastpath==1", {
      "targets": [{
        "target_name": "fastpath_probe",
        "type": "executable",
        "dependencies": ["fastpath", "io", "watch", "engine"],
        "sources": ["test/fastpath_probe.cc"]
      }]
    }]
  ]
}
