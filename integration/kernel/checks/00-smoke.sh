check "add-br on the system datapath" flowport add-br br0 --address=10.0.0.254/24
check "show" says system flowport show
