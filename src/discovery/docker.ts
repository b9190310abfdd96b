import type { DockerConfig } from '../config/sources.ts'
import type { LabelledService } from './docker/labels.ts'
import { ADDRESS_LABEL, discoverContainer } from './docker/place.ts'
import { type Watched, watchContainers } from './docker/watch.ts'
import { Retrying } from './retrying.ts'
import { type Listing, MOST_ITEMS, type OpenSource, type Source, type SourceListener } from './source.ts'

/** The running containers of a Docker Engine that bear certain labels. */
export const openDocker: OpenSource<DockerConfig> = ({ socket, labels, network, port }, listener) =>
  follow(socket, labels, listener, async () => (containers) => {
    const found = containers.map((container) => ({
      container,
      found: discoverContainer(container, network, port),
    }))
    return {
      items: found.flatMap(({ found }) => (typeof found === 'string' ? [] : [found])),
      problems: found.flatMap(({ container, found }) =>
        typeof found === 'string' ? [`container "${container.name}": ${found}`] : [],
      ),
    }
  })

/** The services that containers of a Docker Engine describe in labels of their own. */
export const openDockerLabels: OpenSource<{ readonly socket: string }, LabelledService> = (
  { socket },
  listener,
) => follow(socket, [ADDRESS_LABEL], listener, loadLabels)

/** The config's schema is loaded where labels are read by it. */
const loadLabels = async () => (await import('./docker/labels.ts')).labelledServices

function follow<Item>(
  socket: string,
  labels: readonly string[],
  listener: SourceListener<Item>,
  load: () => Promise<(containers: readonly Watched[]) => Listing<Item>>,
): Source {
  return new Retrying(
    async (signal, hasWorked) => {
      const read = await load()
      return watchContainers(socket, labels, {
        signal,
        onList: (containers, isCut) => {
          hasWorked()
          const { items, problems } = read(containers)
          listener.list({ items, problems: isCut ? [CUT, ...problems] : problems })
        },
      })
    },
    (error) => listener.fail((error as Error).message),
  )
}

const CUT = `more than ${MOST_ITEMS} containers; the rest is left out`
