/** What a Docker host has in its kernel: nothing is forwarded that was not allowed, and what leaves is masqueraded. */
export const likeDocker = (flavour: 'legacy' | 'nft'): string =>
  RULES.replaceAll('tables -', `tables-${flavour} -`)

const RULES = `
iptables -t nat -A POSTROUTING -s 10.77.0.0/16 ! -o br0 -j MASQUERADE
iptables -P FORWARD DROP
iptables -N DOCKER-USER
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -i br0 ! -o br0 -j ACCEPT
iptables -A FORWARD -i br0 -o br0 -j ACCEPT
ip6tables -P FORWARD DROP
ip6tables -N DOCKER-USER
ip6tables -A FORWARD -j DOCKER-USER
ip6tables -A FORWARD -o br0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
ip6tables -A FORWARD -i br0 ! -o br0 -j ACCEPT
ip6tables -A FORWARD -i br0 -o br0 -j ACCEPT
iptables -t nat -A PREROUTING -i up0 -p tcp --dport 8888 -j DNAT --to-destination 10.77.0.11:8080
iptables -A FORWARD -d 10.77.0.11 ! -i br0 -o br0 -p tcp --dport 8080 -j ACCEPT`
