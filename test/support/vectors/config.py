"""What a case configures, and its config.yaml."""
from dataclasses import dataclass, field

KEY = bytes(range(16))


@dataclass(frozen=True)
class Container:
    name: str
    address: str = None
    address6: str = None
    port: int = None
    weight: int = 1


@dataclass(frozen=True)
class Service:
    name: str
    addresses: list
    ports: object  # 'all', or a list of rules
    containers: list
    affinity: dict = field(default_factory=dict)
    pins: list = field(default_factory=list)
    empty: str = None
    algorithm: str = None
    replies: str = None
    quota: int = None
    sources: dict = None


def config_yaml(services, settings):
    lines = ['version: 1', 'interfaces: {bridges: [br0]}', f'key: "{KEY.hex()}"']
    lines += [f'{name}: {flow(value)}' for name, value in settings.items()]
    lines.append('services:')
    for service in services:
        lines += service_lines(service)
    return '\n'.join(lines) + '\n'


def service_lines(service):
    lines = [f'  - name: {service.name}', f'    addresses: {flow(service.addresses)}', f'    ports: {flow(service.ports)}']
    if service.containers:
        lines += ['    containers:'] + [f'      - {flow(container_fields(c))}' for c in service.containers]
    else:
        lines.append('    containers: []')
    if service.algorithm:
        lines.append(f'    algorithm: {service.algorithm}')
    if service.affinity:
        lines.append(f'    affinity: {flow(service.affinity)}')
    if service.pins:
        lines += ['    pins:'] + [f'      - {flow(pin)}' for pin in service.pins]
    if service.sources:
        lines.append(f'    sources: {flow(service.sources)}')
    for name in ('empty', 'replies', 'quota'):
        if getattr(service, name):
            lines.append(f'    {name}: {getattr(service, name)}')
    return lines


def container_fields(container):
    given = {name: value for name, value in vars(container).items() if value is not None}
    return {name: value for name, value in given.items() if (name, value) != ('weight', 1)}


def flow(value):
    """YAML's flow style; only IPv6 needs quotes among what cases write."""
    if isinstance(value, dict):
        return '{' + ', '.join(f'{name}: {flow(item)}' for name, item in value.items()) + '}'
    if isinstance(value, list):
        return '[' + ', '.join(map(flow, value)) + ']'
    return f'"{value}"' if ':' in str(value) else str(value)
